import GatewayCore
import RedisBackend
import TestSupport
import Testing

@Suite("The ledger of backends' calls")
struct CallLedgerTests {
    private static func call(_ number: Int) -> BackendCall {
        BackendCall(key: "shop", call: "POST /v1/users/{userId}/disconnect", whom: "user-\(number)", status: 200)
    }

    @Test func `every node reads what all have noted, page by page, the latest first`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil, nil]) { backends in
            #expect(
                try await backends[0].callLedger.calls(limit: 10, cursor: nil) == NotedCallPage(calls: [], next: nil))
            for number in 0..<5 {
                backends[number % 2].callLedger.note(Self.call(number))
                try await eventually("call \(number)") {
                    try await backends[0].callLedger.calls(limit: 10, cursor: nil).calls.count == number + 1
                }
            }
            var (found, cursor): ([BackendCall], String?) = ([], nil)
            repeat {
                let page = try await backends[1].callLedger.calls(limit: 2, cursor: cursor)
                found += page.calls.map(\.call)
                cursor = page.next
                #expect(page.calls.allSatisfy { $0.timestamp > 1_700_000_000_000 })
            } while cursor != nil
            #expect(found == (0..<5).reversed().map(Self.call))
        }
    }

    @Test(arguments: ["", "x", "1", "1-", "-1-0", "1-0-0", "+", "1-1 COUNT"])
    func `a cursor that no page has given is refused`(cursor: String) async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            await #expect(throws: DirectoryError.badCursor) {
                try await backends[0].callLedger.calls(limit: 2, cursor: cursor)
            }
        }
    }
}
