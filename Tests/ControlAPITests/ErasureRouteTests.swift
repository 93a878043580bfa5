import ControlAPI
import GatewayCore
import Testing

@Suite struct ErasureRouteTests {
    @Test func `a message is redacted by its number, under the epoch that is named`() async throws {
        try await Api.serve { api async throws in
            api.erasure.state.withLock { $0.rooms = [RoomName(unchecked: "a"): 7] }
            #expect(
                try await api.send(.DELETE, "/v1/rooms/a/messages/7").text
                    == #"{"roomId":"a","epoch":"e","seq":7,"redacted":true,"version":3}"#)
            #expect(try await api.send(.DELETE, "/v1/rooms/a/messages/2?epoch=f").status == 200)
            #expect(try await api.send(.DELETE, "/v1/rooms/a/messages/8").status == 404)
            #expect(api.erasure.state.withLock { $0.asked } == ["redact a - 7", "redact a f 2", "redact a - 8"])
        }
    }

    @Test(arguments: ["0", "-1", "x", "1.5", "%201", "99999999999999999999", "+1"])
    func `a number that is none is refused`(_ seq: String) async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.DELETE, "/v1/rooms/a/messages/\(seq)").status == 400)
            #expect(try await api.send(.DELETE, "/v1/rooms/a/messages/1?epoch=").status == 400)
            #expect(try await api.send(.GET, "/v1/rooms/a/messages/1").status == 405)
            #expect(api.erasure.state.withLock { $0.asked } == [])
        }
    }

    @Test func `a user is erased, and it is said how much that was`() async throws {
        try await Api.serve { api async throws in
            #expect(
                try await api.send(.DELETE, "/v1/users/alice").text == #"{"userId":"alice","rooms":2,"messages":5}"#)
            #expect(api.erasure.state.withLock { $0.asked } == ["erase alice"])
            #expect(try await api.send(.DELETE, "/v1/users/%01").status == 400)
        }
    }
}
