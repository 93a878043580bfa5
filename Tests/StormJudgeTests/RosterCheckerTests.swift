import MartletClient
import StormJudge
import Testing

@Suite("The checker that judges rosters")
struct RosterCheckerTests {
    private func told(
        _ steps: [String], from: Int64? = nil, members: Int, version: Int64
    ) -> MartletClient.Presence {
        MartletClient.Presence(
            room: "r",
            steps: steps.map {
                $0.hasPrefix("+")
                    ? .join(userId: String($0.dropFirst()), info: Array("{}".utf8))
                    : .leave(userId: String($0.dropFirst()))
            }, from: from, members: members, rosterVersion: version, timestamp: 1)
    }

    /// Joined at version 5 and read with a and b in the room at version 6.
    private func checker() -> RosterChecker {
        var checker = RosterChecker()
        checker.joined(version: 5)
        checker.received(told(["+b"], members: 2, version: 6))
        checker.read(["a", "b"], version: 6)
        return checker
    }

    @Test func `it has nothing to say of a roster that is told whole, bundled or not`() {
        var checker = checker()
        checker.received(told(["+c"], members: 3, version: 7))
        checker.received(told(["-a", "+a", "-b"], members: 2, version: 10))
        #expect(checker.faults(against: ["a", "c"]) == [])
        #expect(checker.steps == 5)
    }

    @Test func `a net change is whole where it begins at what was told, whatever is left of it`() {
        var checker = checker()
        checker.received(told(["+c", "-a"], from: 6, members: 2, version: 12))
        checker.received(told([], from: 12, members: 2, version: 14))
        #expect(checker.faults(against: ["b", "c"]) == [])
        checker.received(told(["-b"], from: 15, members: 1, version: 17))
        checker.received(told([], from: 16, members: 1, version: 18))
        #expect(checker.faults == [.skipped(from: 14, to: 15), .repeated(18)])
    }

    @Test func `a roster that was read in the midst of a net change proves nothing`() {
        var checker = RosterChecker()
        checker.joined(version: 5)
        checker.read(["a", "ghost"], version: 6)
        checker.received(told(["+b"], from: 5, members: 2, version: 8))
        #expect(checker.faults(against: ["a", "b"]) == [])
    }

    @Test func `it tells events that come twice, go back and are left out`() {
        var checker = checker()
        checker.received(told(["+b"], members: 2, version: 7))
        #expect(checker.faults == [.joinedTwice("b")])
        checker = self.checker()
        checker.received(told(["-x"], members: 2, version: 7))
        #expect(checker.faults == [.leftTwice("x")])
        checker = self.checker()
        checker.received(told(["+c"], members: 3, version: 6))
        #expect(checker.faults == [.repeated(6), .miscounted(told: 3, counted: 2)])
        checker = self.checker()
        checker.received(told(["+c"], members: 3, version: 9))
        #expect(checker.faults == [.skipped(from: 6, to: 8)])
        checker = self.checker()
        checker.received(told(["+c"], members: 9, version: 7))
        #expect(checker.faults == [.miscounted(told: 9, counted: 3)])
    }

    @Test func `it tells of a leave of somebody who stays, and of none once they may go`() {
        var checker = checker()
        checker.stay(["a", "b"])
        checker.received(told(["-a"], members: 1, version: 7))
        #expect(checker.faults == [.falseLeave("a")])
        checker.go(["b"])
        checker.received(told(["-b"], members: 0, version: 8))
        #expect(checker.faults == [.falseLeave("a")])
    }

    @Test func `it tells who is missing and who is a ghost, by what the registry says`() {
        var checker = checker()
        checker.received(told(["+c"], members: 3, version: 7))
        #expect(checker.faults(against: ["a", "b", "d"]) == [.missing("d"), .ghost("c")])
    }

    @Test func `what was away or told as unseen is not held against anybody until the roster is read again`() {
        var checker = checker()
        checker.received(told([], members: 7, version: 20))
        checker.received(told(["+c"], members: 8, version: 21))
        #expect(checker.faults(against: ["x"]) == [])
        checker.lapsed()
        checker.received(told(["+d"], members: 9, version: 40))
        checker.received(told(["-d"], members: 8, version: 43))
        #expect(checker.faults == [.skipped(from: 40, to: 42)])
        checker.read(["c"], version: 43)
        #expect(checker.faults(against: []) == [.skipped(from: 40, to: 42), .ghost("c")])
    }

    @Test func `steps that the roster held already when it was read count once`() {
        var checker = RosterChecker()
        checker.joined(version: 5)
        checker.read(["a", "b"], version: 6)
        checker.received(told(["+b", "+c"], members: 3, version: 7))
        #expect(checker.faults(against: ["a", "b", "c"]) == [])
    }
}
