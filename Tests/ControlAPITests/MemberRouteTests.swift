import ControlAPI
import GatewayCore
import Testing

@Suite("Roles and moderation over REST")
struct MemberRouteTests {
    @Test func `each order is read from its path and body, and answered with the room's version`() async throws {
        try await Api.serve { api async throws in
            let answers = [
                try await api.send(.PUT, "/v1/rooms/r/members/ann%20b", #"{"role":"moderator"}"#),
                try await api.send(.DELETE, "/v1/rooms/r/members/ann?reason=no%20more"),
                try await api.send(.PUT, "/v1/rooms/r/bans/ann", #"{"until":1796000000000,"reason":"x"}"#),
                try await api.send(.DELETE, "/v1/rooms/r/bans/ann"),
                try await api.send(.PUT, "/v1/rooms/r/mutes/ann", "{}"),
                try await api.send(.DELETE, "/v1/rooms/r/mutes/ann"),
            ]
            for answer in answers {
                #expect(answer.status == 200 && answer.text == #"{"roomId":"r","version":7}"#)
            }
            let room = RoomName(unchecked: "r")
            let ann = UserID(unchecked: "ann")
            #expect(
                api.rooms.state.withLock { $0.orders } == [
                    RoomOrder(.role(.moderator), UserID(unchecked: "ann b"), in: room),
                    RoomOrder(.remove, ann, in: room, reason: "no more"),
                    RoomOrder(.ban(until: 1_796_000_000_000), ann, in: room, reason: "x"),
                    RoomOrder(.unban, ann, in: room),
                    RoomOrder(.mute(until: nil), ann, in: room), RoomOrder(.unmute, ann, in: room),
                ])
            let put = try await api.send(.POST, "/v1/rooms/r/members", #"{"users":["ann","ben"]}"#)
            #expect(
                put.text
                    == #"{"roomId":"r","users":[{"userId":"ann","connections":2},{"userId":"ben","connections":2}]}"#)
        }
    }

    @Test func `what is said wrongly is refused, and so is what cannot be`() async throws {
        try await Api.serve { api async throws in
            for (path, body) in [
                ("/v1/rooms/r/members/u", "{}"), ("/v1/rooms/r/members/u", #"{"role":"a b"}"#),
                ("/v1/rooms/@u/members/u", #"{"role":"host"}"#), ("/v1/rooms/r/members/system", #"{"role":"host"}"#),
                ("/v1/rooms/r/bans/u", #"{"until":"soon"}"#), ("/v1/rooms/r/mutes/u", #"{"until":1796000000}"#),
                ("/v1/rooms/r/bans/u", #"{"reason":"\u0007"}"#),
            ] {
                #expect(try await api.send(.PUT, path, body).status == 400, "\(path) \(body)")
            }
            for body in ["{}", #"{"users":[]}"#, #"{"users":["system"]}"#, #"{"users":"u"}"#] {
                #expect(try await api.send(.POST, "/v1/rooms/r/members", body).status == 400, "\(body)")
            }
            api.rooms.state.withLock { $0.failure = .absent }
            #expect(try await api.send(.DELETE, "/v1/rooms/r/members/u").status == 404)
            #expect(try await api.send(.PUT, "/v1/rooms/r/members/u", #"{"role":"host"}"#).status == 409)
            api.rooms.state.withLock { $0.failure = .noRoster }
            #expect(try await api.send(.PUT, "/v1/rooms/r/bans/u", "{}").status == 409)
            #expect(try await api.send(.GET, "/v1/rooms/r/bans/u").status == 405)
        }
    }

    @Test func `a room shows who is what in it`() async throws {
        try await Api.serve { api async throws in
            _ = try await api.send(.PUT, "/v1/rooms/r", #"{"version":0}"#)
            var roles = RoomRoles(host: UserID(unchecked: "ann"))
            roles.roles = [UserID(unchecked: "ben"): .moderator, UserID(unchecked: "ann"): .host]
            roles.muted = [UserID(unchecked: "cid"): 0]
            roles.banned = [UserID(unchecked: "dee"): 99]
            api.rooms.state.withLock { [roles] in $0.roles = roles }
            let room = try await api.send(.GET, "/v1/rooms/r")
            #expect(
                room.text.hasSuffix(
                    #""settings":{},"host":"ann","roles":{"ann":"host","ben":"moderator"},"muted":{"cid":0},"banned":{"dee":99}}"#
                ))
        }
    }
}
