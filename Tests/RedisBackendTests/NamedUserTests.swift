import GatewayCore
import RedisBackend
import Testing
import TestSupport

/// What a room's head says of who has a role or is mute, so that a publish of anybody else asks no more.
@Suite("Users whom a room names")
struct NamedUserTests {
    private func said(_ text: String, by user: String) -> Publication {
        var publication = Publication(room: room, userId: UserID(unchecked: user), payload: Array(text.utf8))
        publication.heedsSettings = true
        return publication
    }

    /// Few are named; of many no names are kept.
    @Test(arguments: [3, 90])
    func `roles and mutes hold whether few users have them or many, and of few the others cost no command more`(
        count: Int
    ) async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let (governor, log) = (backends[0].roomGovernor, backends[0].messageLog)
            @Sendable func order(_ act: RoomOrder.Act, _ user: String) async throws {
                _ = try await governor.carryOut(RoomOrder(act, UserID(unchecked: user), in: room))
            }
            @Sendable func expect(_ bar: RoomBar?, for user: String) async throws {
                guard let bar else {
                    _ = try await log.publish(said("1", by: user))
                    return
                }
                await #expect(throws: BackendError.barred(bar), "\(user)") {
                    try await log.publish(said("1", by: user))
                }
            }
            var settings = RoomSettings(text: Array("{}".utf8))
            settings.roles = [RoleRights(role: .member, rights: [.join])]
            let version = try await governor.govern(room, by: settings, replacing: 0)
            let users = (0..<count).map { "one-with-a-role-\($0)" }
            for user in users { try await order(.role(.moderator), user) }
            for user in [users[0], users[count - 1]] { try await expect(nil, for: user) }
            for user in ["member", "one-with-a-role-", "e-with-a-role-0"] { try await expect(.role, for: user) }

            try await order(.mute(until: nil), users[1])
            try await expect(.muted, for: users[1])
            try await order(.unmute, users[1])
            try await expect(nil, for: users[1])
            try await order(.role(.member), users[0])
            try await expect(.role, for: users[0])
            try await order(.role(.moderator), users[0])
            try await expect(nil, for: users[0])

            // Other settings leave the roles as they are.
            settings.roles = []
            _ = try await governor.govern(room, by: settings, replacing: version + Int64(count) + 4)
            try await order(.mute(until: nil), "member")
            try await expect(.muted, for: "member")
            let before = try await fixture.calls(of: "hmget")
            for _ in 0..<100 { try await expect(nil, for: "other") }
            let each = try await fixture.calls(of: "hmget") - before
            #expect(count < 10 ? (200..<250).contains(each) : (300..<350).contains(each))

            // Once nobody is left the next ones are named again.
            try await order(.unmute, "member")
            for user in users { try await order(.role(.member), user) }
            try await order(.mute(until: nil), "other")
            try await expect(.muted, for: "other")
            try await expect(nil, for: "member")
        }
    }

    @Test func `mutes that have ended give their place to others, and leave no count behind`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let log = backends[0].messageLog
            let observer = try Observer(fixture.redis)
            @Sendable func order(_ act: RoomOrder.Act, _ user: String) async throws -> Moderate.Answer {
                try await observer.store.call(
                    Moderate(RoomOrder(act, UserID(unchecked: user), in: room), link: "link0001", most: 100))
            }
            _ = try await order(.role(.moderator), "kept")
            let long = String(repeating: "n", count: 20)
            // More than are named, all of which have ended.
            for number in 0..<99 { _ = try await order(.mute(until: 1000), "\(long)\(number)") }
            // Takes them away, and changes nothing else.
            _ = try await order(.admit, "guest")
            for number in 0..<99 {
                guard case .done = try await order(.ban(until: nil), "banned\(number)") else {
                    Issue.record("as if there were no room for ban \(number)")
                    return
                }
            }
            // All who are left are named again, and nobody else costs a command more.
            _ = try await order(.unban, "banned0")
            _ = try await order(.mute(until: nil), "other")
            let before = try await fixture.calls(of: "hmget")
            for _ in 0..<100 { _ = try await log.publish(said("1", by: "guest")) }
            #expect((200..<250).contains(try await fixture.calls(of: "hmget") - before))
            await #expect(throws: BackendError.barred(.muted)) { try await log.publish(said("1", by: "other")) }
            _ = try await log.publish(said("1", by: "kept"))
        }
    }

    @Test func `a host who takes over is named, and may what members may not`() async throws {
        try await withNodes(2) { _, nodes in
            for (id, user) in [("c1", "ann"), ("c2", "ben")] {
                try await nodes[0].connect(id, user)
                try await nodes[0].join(room.string, id)
            }
            var settings = RoomSettings(text: Array("{}".utf8))
            settings.publish = []
            let governor = nodes[1].backend.roomGovernor
            _ = try await governor.govern(room, by: settings, replacing: 0)
            _ = try await governor.carryOut(RoomOrder(.role(.host), UserID(unchecked: "ann"), in: room))
            let log = nodes[1].backend.messageLog
            _ = try await log.publish(said("1", by: "ann"))
            await #expect(throws: BackendError.barred(.role)) { try await log.publish(said("1", by: "ben")) }
            nodes[0].presence.leave(room, connection: "c1")
            try await eventually("the chair's way to ben") {
                (try? await log.publish(said("2", by: "ben"))) != nil
            }
            await #expect(throws: BackendError.barred(.role)) { try await log.publish(said("2", by: "ann")) }
        }
    }
}
