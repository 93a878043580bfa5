import ControlAPI
import GatewayCore
import Testing

@Suite struct IdempotencyTests {
    private static let body = #"{"to":{"rooms":["a","b"]},"payload":1,"idempotencyKey":"k"}"#

    @Test func `the same body under the same key gets the first answer and is stored once`() async throws {
        try await Api.serve { api async throws in
            let first = try await api.send(.POST, "/v1/broadcast", Self.body)
            let second = try await api.send(.POST, "/v1/broadcast", Self.body + "\n")
            #expect(first.status == 200)
            #expect(first.text == second.text)
            #expect(api.log.payloads(of: "a") == ["1"])
        }
    }

    @Test func `another body under the same key is 409 and stored nowhere`() async throws {
        try await Api.serve { api async throws in
            _ = try await api.send(.POST, "/v1/broadcast", Self.body)
            let other = try await api.send(
                .POST, "/v1/broadcast", #"{"to":{"rooms":["a","b"]},"payload":2,"idempotencyKey":"k"}"#)
            #expect(other.status == 409)
            #expect(
                other.text == #"{"error":{"code":"conflict","message":"idempotencyKey: used for another request"}}"#)
            #expect(api.log.payloads(of: "a") == ["1"])
        }
    }

    @Test func `a half-failed broadcast can be repeated until all of it is stored once`() async throws {
        try await Api.serve { api async throws in
            api.log.fail("b", with: .unavailable(reason: "away"))
            let first = try await api.send(.POST, "/v1/broadcast", Self.body)
            #expect(first.status == 200 && first.text.contains(#"{"roomId":"b","error""#))
            api.log.fail("b", with: nil)
            let second = try await api.send(.POST, "/v1/broadcast", Self.body)
            #expect(second.text.contains(#"[{"roomId":"a","epoch":"e1","seq":1},{"roomId":"b","epoch":"e1","seq":1}]"#))
            #expect(second.text.prefix(75) == first.text.prefix(75), "id and timestamp are the first ones")
            #expect(api.log.payloads(of: "a") == ["1"] && api.log.payloads(of: "b") == ["1"])
        }
    }

    @Test func `a key that is free again does not meet the marks of its former life`() async throws {
        try await Api.serve { api async throws in
            _ = try await api.send(.POST, "/v1/broadcast", Self.body)
            api.log.state.withLock { $0.claims = [:] }
            let later = try await api.send(.POST, "/v1/broadcast", Self.body)
            #expect(later.text.contains(#"{"roomId":"a","epoch":"e1","seq":2}"#))
        }
    }

    @Test func `while the store is away nothing is published under an unclaimed key`() async throws {
        try await Api.serve { api async throws in
            api.log.fail(all: .unavailable(reason: "away"))
            #expect(try await api.send(.POST, "/v1/broadcast", Self.body).status == 503)
            #expect(api.log.submitted.isEmpty)
        }
    }
}
