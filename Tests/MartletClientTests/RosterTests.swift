import MartletClient
import Testing

/// Who is in a room, as a client works it out.
@Suite struct RosterTests {
    private func member(_ user: String, info: String = "{}") -> MartletClient.Member {
        MartletClient.Member(userId: user, info: Array(info.utf8), connections: 1)
    }

    private func page(_ users: [String], version: Int64, next: String? = nil) -> MartletClient.MemberPage {
        MartletClient.MemberPage(
            room: "r", members: users.map { member($0) }, count: users.count, rosterVersion: version, next: next)
    }

    private func change(
        _ steps: [MartletClient.Presence.Step], from: Int64? = nil, members: Int, version: Int64
    ) -> MartletClient.Presence {
        MartletClient.Presence(
            room: "r", steps: steps, from: from, members: members, rosterVersion: version, timestamp: 0)
    }

    private func known(_ users: [String], version: Int64) -> Roster {
        var roster = Roster()
        _ = roster.begin()
        _ = roster.received(page(users, version: version), round: 1)
        return roster
    }

    private let join = { MartletClient.Presence.Step.join(userId: $0, info: Array("{}".utf8)) }

    @Test func `pages are read one after another, and what changes meanwhile is applied once`() {
        var roster = Roster()
        #expect(roster.begin() == .ask(cursor: nil, round: 1))
        #expect(roster.received(page(["b"], version: 5, next: "n"), round: 1) == .ask(cursor: "n", round: 1))
        #expect(roster.received(change([join("d")], members: 4, version: 6)) == .nothing)
        #expect(roster.received(change([.leave(userId: "b")], members: 3, version: 7)) == .nothing)
        #expect(roster.members == nil)
        #expect(roster.received(page(["c", "a", "d"], version: 7), round: 1) == .tell)
        #expect(roster.members?.map(\.userId) == ["a", "c", "d"])
        #expect(roster.received(change([.leave(userId: "b")], members: 3, version: 7)) == .nothing)
    }

    @Test func `steps follow each other, and a missing one has the list read anew`() {
        var roster = known(["a"], version: 1)
        #expect(roster.received(change([join("b"), .leave(userId: "a")], members: 1, version: 3)) == .tell)
        #expect(roster.members == [member("b")])
        let hat = Array(#"{"hat":1}"#.utf8)
        #expect(roster.received(change([.update(userId: "b", info: hat)], members: 1, version: 4)) == .tell)
        #expect(roster.members == [member("b", info: #"{"hat":1}"#)])
        #expect(roster.received(change([join("c")], members: 3, version: 6)) == .ask(cursor: nil, round: 2))
        #expect(roster.received(page(["z"], version: 4), round: 1) == .nothing)
        #expect(roster.received(page(["b", "c", "d"], version: 6), round: 2) == .tell)
        #expect(roster.received(change([], members: 2, version: 7)) == .ask(cursor: nil, round: 3))
    }

    @Test func `a net change leads from one list to another, where nothing of it is left out`() {
        var roster = known(["a"], version: 1)
        #expect(roster.received(change([join("b")], from: 1, members: 2, version: 9)) == .tell)
        #expect(roster.received(change([join("c")], from: 8, members: 3, version: 10)) == .tell)
        // Of a later gateway, whose steps are not known here, or of a list from its midst.
        #expect(roster.received(change([], from: 10, members: 4, version: 11)) == .ask(cursor: nil, round: 2))
    }

    @Test func `a list that changes faster than it is read is begun again`() {
        var roster = Roster()
        _ = roster.begin()
        for version in 1...1000 {
            #expect(roster.received(change([join("a")], members: 1, version: Int64(version))) == .nothing)
        }
        #expect(roster.received(change([join("a")], members: 1, version: 1001)) == .ask(cursor: nil, round: 2))
        roster.forget()
        #expect(roster.received(page(["a"], version: 1), round: 2) == .nothing)
        #expect(roster.members == nil && !roster.isBegun)
        // What could not be had may be, once somebody tells of it.
        #expect(roster.received(change([], members: 1, version: 1002)) == .ask(cursor: nil, round: 4))
    }

    @Test func `who falls behind is told so, once, and gets the latest`() {
        var backlog = Backlog<Int>(limit: 3) { -$0 }
        #expect(backlog.isEmpty)
        for number in 1...5 { backlog.append(number) }
        #expect((0..<5).map { _ in backlog.popFirst() } == [-2, 3, 4, 5, nil])
        var latest = Backlog<Int>(limit: 0) { _ in nil }
        for number in 1...5 { latest.append(number) }
        #expect(latest.popFirst() == 5)
        #expect(latest.isEmpty)
    }
}
