import GatewayCore
import TestSupport
import Testing

@Suite("A room whose log is another past than what was seen")
struct TrackForkTests {
    /// One that has delivered 1 to 6, each stored at 1000.
    private func live(limits: LogLimits = LogLimits(size: 1000, age: .seconds(3600))) -> TrackConversation {
        let talk = TrackConversation.live(at: 0, limits: limits)
        for seq in 1...6 { #expect(talk.hear(seq) == ["deliver \(seq)"]) }
        return talk
    }

    /// When the messages of the other past were stored.
    private let later = Dictionary(uniqueKeysWithValues: (1...20).map { ($0, Int64(2000 + $0)) })

    private func later(from seq: Int) -> [Int: Int64] { later.filter { $0.key >= seq } }

    @Test func `a head behind what was delivered is one, and all behind the last message in common follows`() {
        let talk = live()
        #expect(talk.compared(2) == ["catch up after 5"])
        #expect(talk.caughtUp(2) == ["catch up after 0"])
        #expect(talk.caughtUp(2, log: [1, 2], at: later(from: 2)) == ["gap e1/1", "deliver 2"])
        #expect(talk.hear(3, at: 2003) == ["deliver 3"])
        #expect(talk.tick(after: .zero) == [])
        #expect(!talk.isBusy)
    }

    @Test func `a number that was seen with a later time is one, and what comes meanwhile waits`() {
        let talk = live()
        #expect(talk.hear(2, at: 2002) == ["catch up after 5"])
        #expect(talk.hear(3, at: 2003) == ["kept"])
        #expect(talk.caughtUp(3) == ["catch up after 0"])
        #expect(
            talk.caughtUp(3, log: [1, 2, 3], at: later(from: 2)) == [
                "gap e1/1", "deliver 2", "deliver 3", "repeated", "repeated",
            ])
        #expect(talk.hear(4, at: 2004) == ["deliver 4"])
    }

    @Test func `so is a number that was seen with another body or an earlier time`() {
        #expect(live().hear(2, bytes: 7) == ["catch up after 5"])
        #expect(live().hear(2, at: 500) == ["catch up after 5"])
        #expect(live().hear(2) == ["repeated"])
    }

    @Test func `so is the last number with another time, earlier or later, though it has gone out of memory`() {
        for timestamp in [500, 2000] as [Int64] {
            let talk = live()
            for _ in 1...6 { talk.forgetOldest() }
            #expect(talk.hear(6, at: 1000) == ["repeated"])
            #expect(talk.hear(6, at: timestamp) == ["catch up after 6"])
            #expect(talk.caughtUp(6) == ["catch up after 0"])
            let told = talk.caughtUp(6, log: Array(1...6), at: [6: timestamp])
            #expect(told.first?.hasPrefix("gap") == true && told.contains("deliver 6"), "at \(timestamp)")
        }
    }

    @Test func `a log that has gone beyond what was seen is compared where that was the last`() {
        let talk = live()
        #expect(talk.compared(8) == ["catch up after 5"])
        #expect(talk.caughtUp(8, log: [6, 7, 8], at: later(from: 2)) == ["catch up after 0"])
        #expect(
            talk.caughtUp(8, log: Array(1...8), at: later(from: 2))
                == ["gap e1/1"] + (2...8).map { "deliver \($0)" })
    }

    @Test func `a repeat that only looks like another message is none, and costs a question`() {
        let talk = live()
        for _ in 1...5 { talk.forgetOldest() }
        // Redis's clock has stepped back since the third.
        #expect(talk.hear(3, at: 1500) == ["catch up after 5"])
        #expect(talk.hear(7) == ["kept"])
        #expect(talk.caughtUp(7, log: [6, 7]) == ["deliver 7", "repeated"])
        #expect(talk.hear(8) == ["deliver 8"])
    }

    @Test func `while Redis does not answer nothing that may be of another past is told`() {
        let talk = live()
        #expect(talk.hear(2, at: 2002) == ["catch up after 5"])
        #expect(talk.notCaughtUp() == [])
        #expect(talk.hear(7, at: 2007) == ["kept"])
        #expect(talk.tick(after: .milliseconds(50)) == ["catch up after 5"])
        #expect(talk.caughtUp(7, log: [6, 7], at: later(from: 2)) == ["catch up after 0"])
        #expect(talk.caughtUp(7, log: Array(1...7), at: later(from: 2)).prefix(2) == ["gap e1/1", "deliver 2"])
    }

    @Test func `so it is where the head was found behind, though the log has overtaken what was seen since`() {
        let talk = TrackConversation.live(at: 6)
        #expect(talk.compared(2) == ["catch up after 6"])
        #expect(talk.notCaughtUp() == [])
        #expect(talk.hear(7, at: 2007) == ["kept"])
        #expect(talk.tick(after: .milliseconds(50)) == ["catch up after 6"])
        #expect(talk.caughtUp(7, log: [7], at: later(from: 2)) == ["catch up after 0"])
        #expect(
            talk.caughtUp(7, log: Array(1...7), at: later(from: 2))
                == ["gap e1/0"] + (1...7).map { "deliver \($0)" } + ["repeated"])
    }

    @Test func `an epoch that ended before what was seen loses no message that came after its end`() {
        let talk = live()
        #expect(talk.hear(5, "e2", at: 2005) == ["catch up after 5"])
        #expect(talk.caughtUp(5, "e2", ends: "e1=4") == ["catch up after 0"])
        #expect(
            talk.caughtUp(5, "e2", ends: "e1=4", log: Array(1...5), at: later(from: 5)) == [
                "gap e2/4", "deliver 5", "repeated",
            ])
        // Where memory holds nothing of it any more, what Redis says of the epoch is believed.
        let forgetful = TrackConversation.live(at: 6)
        #expect(forgetful.hear(5, "e2", at: 2005) == ["catch up after 6"])
        #expect(forgetful.caughtUp(5, "e2", ends: "e1=4") == ["catch up after 4"])
        #expect(
            forgetful.caughtUp(5, "e2", ends: "e1=4", log: [5], at: later(from: 5)) == [
                "gap e2/4", "deliver 5", "repeated",
            ])
    }

    @Test func `the first message of a Redis that was emptied comes behind the gap`() {
        let talk = live()
        #expect(talk.hear(1, "e2", at: 2001) == ["catch up after 5"])
        #expect(talk.caughtUp(1, "e2") == ["catch up after 0"])
        #expect(talk.caughtUp(1, "e2", log: [1], at: later(from: 1)) == ["gap e2/0", "deliver 1", "repeated"])
    }

    @Test func `where nothing tells what is in common, all that the log holds follows`() {
        let talk = TrackConversation.live(at: 6)
        #expect(talk.hear(3, "e9") == ["catch up after 6"])
        #expect(talk.caughtUp(3, "e9", ends: "e0=2") == ["catch up after 0"])
        #expect(
            talk.caughtUp(3, "e9", ends: "e0=2", log: [2, 3]) == ["gap e9/1", "deliver 2", "deliver 3", "repeated"])
    }

    @Test func `a head behind under the same epoch has no end that could be believed`() {
        let talk = TrackConversation.live(at: 6, keepsRoster: true, roster: 1)
        // Asked for before what was seen, so that it says nothing; the roster has moved.
        #expect(talk.compared(3, roster: 2, asked: Position(epoch: "e1", seq: 3)) == ["catch up after 6"])
        #expect(talk.caughtUp(3) == ["catch up after 0"])
        #expect(talk.caughtUp(3, log: [1, 2, 3]) == ["gap e1/0", "deliver 1", "deliver 2", "deliver 3"])
    }

    @Test func `where the room keeps nothing, what the channel brings follows`() {
        let nothing = LogLimits(size: 0, age: .seconds(60))
        let talk = live(limits: nothing)
        #expect(talk.hear(1, "e2", at: 2001) == ["catch up after 5"])
        #expect(talk.caughtUp(1, "e2") == ["gap e2/0", "deliver 1"])
        let same = live(limits: nothing)
        #expect(same.hear(2, at: 2002) == ["catch up after 5"])
        #expect(same.hear(3, at: 2003) == ["kept"])
        #expect(same.caughtUp(2) == ["gap e1/1", "deliver 2", "deliver 3"])
    }

    @Test func `a listener whose answer lies behind what was delivered waits until that is told`() {
        let talk = TrackConversation.live(at: 5, keepsRoster: true, roster: 1)
        _ = talk.hear(6)
        #expect(talk.follow(hub: 1) == ["ask"])
        #expect(talk.answered(2, roster: 1) == ["catch up after 5"])
        #expect(talk.caughtUp(2) == ["catch up after 0"])
        #expect(talk.caughtUp(2, log: [1, 2]) == ["gap e1/0", "deliver 1", "deliver 2", "ask"])
        #expect(talk.answered(2, roster: 1) == ["start 2 at e1/2 roster 1"])
    }

    @Test(arguments: 1...300)
    func `whatever was rolled back and however far the log has gone since, nothing it holds is left out or comes twice`(
        seed: UInt64
    ) {
        var random = SplitMix(seed: seed)
        let common = Int.random(in: 0...8, using: &random)
        let seen = common + Int.random(in: 1...8, using: &random)
        let isNewEpoch = Bool.random(using: &random)
        // What continues what was seen cannot be told from its continuation.
        let head = [Int](max(common, 1)...common + 10).filter { $0 != seen + 1 }.randomElement(using: &random) ?? 1
        let gone = Int.random(in: 0..<max(1, head), using: &random)
        let trimmed = gone == seen ? gone - 1 : gone
        let talk = TrackConversation.live(at: 0)
        for seq in 1...seen { _ = talk.hear(seq) }
        for _ in 0..<Int.random(in: 0..<seen, using: &random) { talk.forgetOldest() }

        let epoch = isNewEpoch ? "e2" : "e1"
        let ends = isNewEpoch && Bool.random(using: &random) ? "e1=\(common)" : ""
        var told = head > common ? talk.hear(head, epoch, at: 2000) : talk.compared(head, epoch)
        var questions = 0
        while let question = told.last, question.hasPrefix("catch up after "), questions < 10 {
            questions += 1
            let after = Int(question.split(separator: " ").last ?? "") ?? 0
            let log = Array((1...head).dropFirst(max(after, trimmed)))
            let times = Dictionary(uniqueKeysWithValues: log.map { ($0, Int64($0 > common ? 2000 : 1000)) })
            told.removeLast()
            told += talk.caughtUp(head, epoch, ends: ends, log: log, at: times)
        }
        let gaps = told.filter { $0.hasPrefix("gap") }
        let place = Int(gaps.first?.split(separator: "/").last ?? "") ?? -1
        #expect(gaps.count == 1 && place <= max(common, trimmed), "\(told)")
        let delivered = told.filter { $0.hasPrefix("deliver") }
        #expect(delivered == (1...head).dropFirst(max(place, 0)).map { "deliver \($0)" }, "\(told)")
        #expect(talk.position == Position(epoch: epoch, seq: head))
    }
}
