import ControlAPI
import GatewayCore
import NIOHTTP1
import Synchronization
import Testing

@Suite struct CallsRouteTests {
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

    @Test func `who reads of the calls is not noted among them`() async throws {
        let calls = MemoryCalls()
        try await Api.serve(calls: calls) { api async throws in
            for _ in 0..<3 { #expect(try await api.send(.GET, "/v1/calls").status == 200) }
            #expect(try await api.send(.GET, "/v1/calls?cursor=bad").status == 400)
            #expect(calls.noted.withLock { $0 }.isEmpty)
            #expect(!api.lines.text.contains("audit"))
        }
    }

    @Test func `a read that oversteps its key is told once a minute, and kept nowhere`() async throws {
        let calls = MemoryCalls()
        let sender = BackendKey(
            name: "sender", key: "sender-0123456789abcdef", scopes: [.broadcast], rooms: nil, perSecond: nil)
        try await Api.serve(named: [Self.reader, sender], calls: calls) { api async throws in
            for _ in 0..<5 {
                #expect(try await api.send(.GET, "/v1/calls", key: "reader-0123456789abcdef").status == 403)
                let query = try await api.send(
                    .POST, "/v1/users/query", #"{"users":["u"]}"#, key: "sender-0123456789abcdef")
                #expect(query.status == 403)
            }
            #expect(calls.noted.withLock { $0 }.isEmpty)
            let lines = api.lines.text.split(separator: "\n").filter { $0.contains("audit") }
            #expect(lines.count == 2, "\(lines)")
            _ = try await api.send(.DELETE, "/v1/users/bob/ban", key: "reader-0123456789abcdef")
            _ = try await api.send(.DELETE, "/v1/users/bob/ban", key: "reader-0123456789abcdef")
            #expect(calls.noted.withLock { $0 }.count == 2)
        }
    }

    @Test func `whom a call was about is told in full, in what prints, and no longer than it need be`() async throws {
        let calls = MemoryCalls()
        try await Api.serve(calls: calls) { api async throws in
            _ = try await api.send(.DELETE, "/v1/rooms/r/bans/alice")
            _ = try await api.send(.DELETE, "/v1/rooms/r/members/alice")
            _ = try await api.send(.DELETE, "/v1/rooms/r/mutes/alice")
            _ = try await api.send(.DELETE, "/v1/rooms/r/messages/7")
            _ = try await api.send(.DELETE, "/v1/users/eve%0A2026-01-01%20audit%E2%80%AE/ban")
            _ = try await api.send(.DELETE, "/v1/users/\(String(repeating: "%C3%A4", count: 1000))/ban")
            let whom = calls.noted.withLock { $0 }.map(\.whom)
            #expect(whom.prefix(4) == ["alice in r", "alice in r", "alice in r", "r seq 7"])
            #expect(whom.dropFirst(4).first == "eve\u{FFFD}2026-01-01 audit\u{FFFD}")
            #expect(whom.last == String(repeating: "\u{E4}", count: 128))
            #expect(!api.lines.text.contains("\n2026-01-01"))
        }
    }

    @Test func `where nothing is kept there is nothing to read`() async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.GET, "/v1/calls").status == 404)
        }
    }
}
