import GatewayCore
import Testing

@Suite("Steps of a roster that are told together")
struct RosterStepsTests {
    /// Behind version 10: `+a` is a's join, `-a` the leave; `+a2` joins with another info.
    private func steps(_ words: String...) -> RosterSteps {
        var steps = RosterSteps(after: 10)
        for word in words { steps.append(event(word)) }
        return steps
    }

    private func event(_ word: String) -> RosterEvent {
        let user = UserID(unchecked: String(word.dropFirst().prefix(1)))
        let kind: RosterEvent.Kind = word.hasPrefix("+") ? .join : word.hasPrefix("-") ? .leave : .update
        let info = kind == .leave ? nil : Array(word.dropFirst(2).utf8)
        return RosterEvent(kind: kind, userId: user, info: info, connection: nil)
    }

    private func words(_ events: [RosterEvent]) -> [String] {
        events.map { event in
            let sign =
                switch event.kind {
                case .join: "+"
                case .leave: "-"
                case .update: "~"
                }
            return sign + event.userId.string + String(decoding: event.info ?? [], as: UTF8.self)
        }
    }

    @Test func `steps of different users are all told, in their order`() {
        let steps = steps("+a1", "-b", "+c")
        #expect(words(steps.net(after: 10)) == ["+a1", "-b", "+c"])
        #expect(words(steps.net(after: 12)) == ["+c"])
        #expect(steps.net(after: 13).isEmpty)
        #expect((steps.first, steps.last) == (10, 13))
        #expect(!steps.hasRepeats)
    }

    @Test func `who came and went again is no news, who went and came again may be shown otherwise`() {
        #expect(words(steps("+a", "-a").net(after: 10)) == [])
        #expect(words(steps("-a", "+a2").net(after: 10)) == ["~a2"])
        #expect(words(steps("-a", "+a2", "-a").net(after: 10)) == ["-a"])
        #expect(words(steps("+a1", "-a", "+a2").net(after: 10)) == ["+a2"])
        #expect(words(steps("+a1", "~a2").net(after: 10)) == ["+a2"])
        #expect(words(steps("~a1", "~a2").net(after: 10)) == ["~a2"])
        #expect(words(steps("+a1", "+b", "-a", "+c", "+a3").net(after: 10)) == ["+a3", "+b", "+c"])
    }

    @Test func `whoever knows some of the steps is told what is left of the others`() {
        let steps = steps("+a1", "+b", "-a", "+a2", "-b")
        #expect(words(steps.net(after: 9)) == ["+a2"])
        #expect(words(steps.net(after: 10)) == ["+a2"])
        #expect(words(steps.net(after: 11)) == ["~a2"])
        #expect(words(steps.net(after: 12)) == ["~a2", "-b"])
        #expect(words(steps.net(after: 13)) == ["+a2", "-b"])
        #expect(words(steps.net(after: 15)) == [])
    }

    @Test func `whatever the steps, what is left of them makes the same roster`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var rosters: [Set<String>] = [["a", "b"]]
            var steps = RosterSteps(after: 10)
            for _ in 0..<12 {
                let user = ["a", "b", "c", "d"].randomElement(using: &random) ?? ""
                var roster = rosters[rosters.count - 1]
                let isThere = roster.remove(user) != nil
                if !isThere { roster.insert(user) }
                rosters.append(roster)
                steps.append(event((isThere ? "-" : "+") + user))
            }
            for (known, before) in rosters.enumerated() {
                var roster = before
                let events = steps.net(after: 10 + Int64(known))
                for event in events {
                    switch event.kind {
                    case .join: #expect(roster.insert(event.userId.string).inserted)
                    case .leave: #expect(roster.remove(event.userId.string) != nil)
                    case .update: #expect(roster.contains(event.userId.string))
                    }
                }
                #expect(roster == rosters.last)
                #expect(Set(events.map(\.userId)).count == events.count)
            }
        }
    }

    @Test func `the steps of one user never fill them, those of many users and of long infos do`() {
        var one = RosterSteps(after: 0)
        for index in 0..<2000 {
            let info = index % 2 == 0 ? Array(repeating: UInt8(ascii: "x"), count: 2000) : nil
            one.append(
                RosterEvent(kind: info == nil ? .leave : .join, userId: .system, info: info, connection: nil))
        }
        #expect(!one.isFull)
        var many = RosterSteps(after: 0)
        for number in 0..<33 {
            let info = Array(repeating: UInt8(ascii: "x"), count: 2000)
            #expect(!many.isFull)
            many.append(RosterEvent(kind: .join, userId: UserID(unchecked: "\(number)"), info: info, connection: nil))
        }
        #expect(many.isFull)
    }
}

@Suite("The pace at which a room is told of one user")
struct RosterPaceTests {
    private let alice = UserID(unchecked: "alice")

    private func at(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test
    func `two steps are told as they come, the next two when they are told together, and no fifth within the second`() {
        var pace = RosterPace()
        for _ in 1...2 {
            #expect(pace.allowsAtOnce(alice, now: at(0)))
            pace.told(alice, now: at(0))
        }
        #expect(!pace.allowsAtOnce(alice, now: at(100)))
        for time in [Int64(250), 500] {
            #expect(pace.allows(alice, now: at(time)))
            pace.told(alice, now: at(time))
        }
        #expect(!pace.allows(alice, now: at(750)))
        #expect(pace.allows(alice, now: at(1000)))
        #expect(!pace.allowsAtOnce(alice, now: at(1100)))
        #expect(pace.allowsAtOnce(alice, now: at(1250)))
        #expect(pace.allowsAtOnce(UserID(unchecked: "bob"), now: at(100)))
    }

    @Test func `what is older than a second is forgotten, and nothing else`() {
        var pace = RosterPace()
        pace.told(alice, now: at(0))
        pace.told(UserID(unchecked: "bob"), now: at(500))
        pace.forget(now: at(999))
        #expect(!pace.isEmpty)
        pace.told(alice, now: at(999))
        pace.forget(now: at(1600))
        #expect(!pace.allowsAtOnce(alice, now: at(999)))
        pace.forget(now: at(1999))
        #expect(pace.isEmpty)
    }
}
