import GatewayCore
import Testing

/// Who follows a host.
struct VacantChairTests {
    private func member(
        _ name: String, _ role: String = "member", since: Int64 = 0, isConnected: Bool = true
    ) -> VacantChair.Member {
        VacantChair.Member(
            user: UserID(unchecked: name), role: RoleName(unchecked: role), since: since, isConnected: isConnected)
    }

    private func chair(
        _ handover: RoomSettings.HostHandover, roles: [String] = [], _ members: VacantChair.Member...
    ) -> VacantChair {
        VacantChair(
            version: 7, handover: handover, roles: roles.map { RoleName(unchecked: $0) }, members: members)
    }

    @Test func `by role the highest present follows, and among equals whoever is there longest`() {
        let roles = ["speaker", "aide"]
        let all = [
            member("a", since: 1), member("b", "aide", since: 2), member("c", "speaker", since: 5),
            member("d", "speaker", since: 4), member("e", "moderator", since: 9), member("f", "unlisted", since: 3),
        ]
        var chair = chair(.role, roles: roles)
        chair.members = all
        var order: [String] = []
        while let next = chair.successor {
            order.append(next.string)
            chair.members.removeAll { $0.user == next }
        }
        #expect(order == ["e", "d", "c", "b", "f", "a"])
    }

    @Test func `by age roles count for nothing`() {
        let chair = chair(.oldest, member("a", "moderator", since: 5), member("b", since: 4), member("c", since: 6))
        #expect(chair.successor?.string == "b")
    }

    @Test func `who is in a grace follows only where nobody else is there`() {
        let away = member("a", "moderator", since: 1, isConnected: false)
        #expect(chair(.role, away, member("b", since: 9)).successor?.string == "b")
        #expect(chair(.role, away).successor?.string == "a")
    }

    @Test func `nobody follows in an empty room, or where the chair is not handed over`() {
        #expect(chair(.role).successor == nil)
        #expect(chair(.none, member("a", "moderator")).successor == nil)
    }

    @Test func `those of whom nothing tells them apart are taken in the order of their names`() {
        #expect(chair(.role, member("b"), member("a")).successor?.string == "a")
    }
}
