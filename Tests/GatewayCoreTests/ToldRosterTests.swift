import GatewayCore
import Testing

/// What is told of a roster to those whose protocol knows no versions.
@Suite("A roster that was told without versions")
struct ToldRosterTests {
    private func event(_ word: String) -> RosterEvent {
        let user = UserID(unchecked: String(word.dropFirst()))
        let isJoin = word.hasPrefix("+")
        return RosterEvent(kind: isJoin ? .join : .leave, userId: user, info: isJoin ? [] : nil, connection: nil)
    }

    private func change(_ version: Int64, _ words: String...) -> RosterChange {
        RosterChange(
            room: RoomName(unchecked: "presence-a"), events: words.map(event), members: 1, version: version,
            timestamp: 1)
    }

    private func bundle(after version: Int64, _ words: String...) -> RosterPortion {
        var steps = RosterSteps(after: version)
        for word in words { steps.append(event(word)) }
        var change = change(steps.last)
        change.events = steps.net(after: version)
        return RosterPortion(change, of: steps)
    }

    private func members(_ names: String...) -> [Member] {
        names.map { Member(userId: UserID(unchecked: $0), info: [], connections: 1) }
    }

    private func words(_ events: [RosterEvent]?) -> [String]? {
        events.map { $0.map { ($0.kind == .join ? "+" : "-") + $0.userId.string }.sorted() }
    }

    private func told(_ receipt: ToldRoster.Receipt) -> String {
        switch receipt {
        case .tell(let known): "tell behind \(known)"
        case .nothing: "nothing"
        case .lost(let known): "lost behind \(known)"
        case .behind: "behind"
        case .read: "read"
        }
    }

    private func told(_ reading: ToldRoster.Reading) -> [[String]] {
        switch reading {
        case .tell(let portions): portions.compactMap { words($0.change.events) }
        case .again: [["again"]]
        case .nothing: []
        }
    }

    @Test func `who knows the first steps is told the others`() {
        let single = RosterPortion(change(12, "+a", "-b"))
        #expect(words(single.events(after: 9)) == ["+a", "-b"] && words(single.events(after: 11)) == ["-b"])
        #expect(words(single.events(after: 12)) == [] && words(single.events(after: 20)) == [])
        let bundle = bundle(after: 10, "+a", "-a", "+b")
        #expect(words(bundle.events(after: 10)) == ["+b"])
        // Whoever has seen a come is told of the leaving.
        #expect(words(bundle.events(after: 11)) == ["+b", "-a"])
        #expect(single.leadsOn(from: 11) && bundle.leadsOn(from: 11))
        let difference = RosterPortion(change(20, "+c"), between: 10)
        #expect([9, 10, 11, 19, 20].map(difference.leadsOn) == [true, true, false, false, true])
        #expect(words(difference.events(after: 10)) == ["+c"] && words(difference.events(after: 20)) == [])
        #expect(difference.events(after: 15) == nil)
        let lost = RosterPortion(lost: change(20, "+c"), from: 10)
        #expect(lost.events(after: 10) == nil && lost.events(after: 15) == nil && words(lost.events(after: 20)) == [])
    }

    @Test func `steps are told once and in order`() {
        var roster = ToldRoster(at: 10)
        #expect(roster.begin(with: members("a")) && !roster.begin(with: members("b")))
        #expect(told(roster.receive(RosterPortion(change(11, "+b")))) == "tell behind 10")
        #expect(told(roster.receive(RosterPortion(change(11, "+b")))) == "nothing")
        #expect(told(roster.receive(RosterPortion(change(13, "-b", "+c")))) == "tell behind 11")
        #expect(roster.version == 13)
    }

    @Test func `behind lost steps the roster is read, and what is other is told, and what came meanwhile`() {
        var roster = ToldRoster(at: 10)
        _ = roster.begin(with: members("a", "b"))
        #expect(told(roster.receive(RosterPortion(change(11, "+c")))) == "tell behind 10")
        #expect(told(roster.lose(at: 15)) == "read")
        #expect(told(roster.receive(RosterPortion(change(16, "+x")))) == "nothing")
        #expect(told(roster.receive(RosterPortion(change(17, "-x")))) == "nothing")
        #expect(told(roster.read(members("a"), of: change(14))) == [["again"]])
        // It has the first of the two steps already.
        let told = told(roster.read(members("a", "d", "x"), of: change(16)))
        #expect(told == [["+d", "+x", "-b", "-c"], ["-x"]])
        #expect(roster.version == 17)
        #expect(self.told(roster.receive(RosterPortion(change(18, "+b")))) == "tell behind 17")
        #expect(self.told(roster.read(members("a"), of: change(20))) == [])
    }

    @Test func `a hole is read over once the roster is whole, or nobody has said so for long`() {
        var roster = ToldRoster(at: 10)
        _ = roster.begin(with: members("a"))
        var isOverdue = roster.isOverdue()
        #expect(!isOverdue)
        #expect(told(roster.receive(RosterPortion(change(20, "+b")))) == "behind")
        #expect(told(roster.lose(at: 21)) == "read")
        #expect(told(roster.read(members("a", "b", "c"), of: change(21))) == [["+b", "+c"]])
        #expect(told(roster.receive(RosterPortion(change(25, "+d")))) == "behind")
        isOverdue = roster.isOverdue()
        let isStill = roster.isOverdue()
        #expect(isOverdue && !isStill)
        #expect(told(roster.lose(at: 26)) == "nothing")
        #expect(told(roster.read(members("a", "b", "c", "d"), of: change(26))) == [["+d"]])
    }

    @Test func `steps lost once more are waited for, without a second reading at once`() {
        var roster = ToldRoster(at: 10)
        _ = roster.begin(with: members("a"))
        #expect(told(roster.lose(at: 20)) == "read")
        #expect(told(roster.receive(RosterPortion(change(22, "+c")))) == "nothing")
        #expect(told(roster.read(members("a", "b"), of: change(21))) == [["again"]])
        #expect(told(roster.read(members("a", "b", "c"), of: change(22))) == [["+b", "+c"]])
    }

    @Test func `readings that bring nothing come less and less often, and at any time`() {
        var roster = ToldRoster(at: 10)
        _ = roster.begin(with: members("a"))
        _ = roster.lose(at: 20)
        #expect(roster.isBehind)
        let pauses = (0..<9).map { _ in roster.pause(fraction: 1).milliseconds }
        #expect(pauses == [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 32_000])
        #expect(roster.pause(fraction: 0) == .zero && roster.pause(fraction: 0.5) == .seconds(16))
        #expect(told(roster.read(members("a", "b"), of: change(20))) == [["+b"]])
        #expect(!roster.isBehind && roster.pause(fraction: 1) == .milliseconds(250))
    }

    @Test func `where nobody has been told, nothing is read`() {
        var roster = ToldRoster(at: 10)
        #expect(told(roster.lose(at: 15)) == "lost behind 10")
        #expect(told(roster.receive(RosterPortion(change(16, "+b")))) == "tell behind 15")
        #expect(told(roster.receive(RosterPortion(change(18, "+c")))) == "lost behind 16")
    }
}
