import ControlAPI
import GatewayCore
import NIOHTTP1
import Synchronization
import Testing

@Suite struct CallsRouteTests {
    private final class MemoryCalls: CallLedger {
        let noted = Mutex<[BackendCall]>([])

        func note(_ call: BackendCall) { noted.withLock { $0.append(call) } }

        func calls(limit: Int, cursor: String?) async throws(DirectoryError) -> NotedCallPage {
            guard cursor != "bad" else { throw .badCursor }
            let calls = noted.withLock { $0.reversed().prefix(limit).map { NotedCall($0, timestamp: 5) } }
            return NotedCallPage(calls: calls, next: calls.count < limit ? nil : "5-0")
        }
    }

    private static let reader = BackendKey(
        name: "reader", key: "reader-0123456789abcdef", scopes: [.read], rooms: nil, perSecond: nil)

    @Test func `what changes something, or oversteps its key, is noted without what was sent`() async throws {
        let calls = MemoryCalls()
        try await Api.serve(named: [Self.reader], calls: calls) { api async throws in
            _ = try await api.send(.POST, "/v1/users/alice/disconnect", #"{"reason":"secret"}"#)
            _ = try await api.send(.GET, "/v1/users")
            _ = try await api.send(.DELETE, "/v1/users/bob/ban", key: "reader-0123456789abcdef")
            let noted = calls.noted.withLock { $0 }
            #expect(noted.map(\.whom) == ["alice", "bob"] && noted.map(\.status) == [200, 403])
            #expect(noted.map(\.key) == ["api.key", "reader"])
            #expect(noted.first?.call == "POST /v1/users/{userId}/disconnect")

            let answer = try await api.send(.GET, "/v1/calls?limit=1")
            #expect(
                answer.text
                    == #"{"calls":[{"timestamp":5,"key":"reader","call":"DELETE /v1/users/{userId}/ban","whom":"bob","result":403}],"next":"5-0"}"#
            )
            #expect(try await api.send(.GET, "/v1/calls?cursor=bad").status == 400)
            #expect(try await api.send(.GET, "/v1/calls", key: "reader-0123456789abcdef").status == 403)
        }
    }

    @Test func `where nothing is kept there is nothing to read`() async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.GET, "/v1/calls").status == 404)
        }
    }
}
