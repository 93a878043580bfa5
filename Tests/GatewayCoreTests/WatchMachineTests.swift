import GatewayCore
import Testing

@Suite("Following users' states")
struct WatchMachineTests {
    @Test
    func
        `a user is asked about once the channel stands, and the hub is answered when all are known, in the order asked`()
    {
        let talk = WatchConversation()
        #expect(talk.watch(["bob", "amy"]) == [#"subscribe ["amy", "bob"]"#])
        #expect(talk.read() == [])
        #expect(talk.subscribed("amy") == ["read"])
        #expect(talk.read() == ["amy"])
        #expect(talk.answered(true, at: 50) == [])
        #expect(talk.subscribed("bob") == ["read"])
        #expect(talk.read() == ["bob"])
        #expect(talk.answered(false, at: 40) == ["answer 1 of 0: bob off 40, amy on"])
        // One who is watched already is answered from memory.
        #expect(talk.watch(["amy"], hub: 1) == ["answer 2 of 1: amy on"])
    }

    @Test func `a change is told once to all hubs that were answered, and what is older than what is known is not`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.watch(["amy"], hub: 1)
        #expect(talk.heard("amy", true, at: 50) == ["tell [0, 1] amy on 50"])
        #expect(talk.heard("amy", true, at: 50) == [])
        #expect(talk.heard("amy", false, at: 40) == ["read"])
        #expect(talk.read() == ["amy"])
        #expect(talk.answered(true, at: 50) == [])
        #expect(talk.heard("amy", false, at: 60) == ["tell [0, 1] amy off 60"])
        #expect(talk.heard("bob", true, at: 70) == [])
    }

    @Test func `after a step back of Redis's clock a change is told as soon as Redis says that it holds`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 1000)
        #expect(talk.heard("amy", false, at: 600) == ["read"])
        #expect(talk.read() == ["amy"])
        #expect(talk.answered(false, at: 600) == ["tell [0] amy off 600"])
        // From here on the clock is as it was after the step.
        #expect(talk.heard("amy", true, at: 650) == ["tell [0] amy on 650"])
    }

    @Test func `who comes and goes behind such a step is told as Redis has it at the end`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 900)
        _ = talk.heard("amy", false, at: 1000)
        #expect(talk.heard("amy", true, at: 600) == ["read"])
        #expect(talk.read() == ["amy"])
        #expect(talk.heard("amy", false, at: 610) == ["read"])
        #expect(talk.answered(true, at: 600) == [])
        #expect(talk.read() == ["amy"])
        #expect(talk.answered(false, at: 610) == [])
        #expect(talk.heard("amy", true, at: 620) == ["tell [0] amy on 620"])
    }

    @Test func `what came late is asked about once, and does not hold against what came after it`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 1000)
        #expect(talk.heard("amy", false, at: 600) == ["read"])
        #expect(talk.heard("amy", false, at: 600) == [])
        #expect(talk.read() == ["amy"])
        // The clock is set right again before the answer.
        #expect(talk.heard("amy", true, at: 1100) == [])
        #expect(talk.answered(false, at: 600) == [])
        #expect(talk.read() == [])
    }

    @Test func `while a Redis that was set back is in doubt it is believed where the channel says the same`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 1000)
        _ = talk.doubtAll()
        _ = talk.read()
        #expect(talk.answered(false, at: 0) == ["ask about amy later"])
        #expect(talk.heard("amy", false, at: 600) == ["read"])
        _ = talk.read()
        #expect(talk.answered(false, at: 600) == ["tell [0] amy off 600"])
        #expect(talk.askAgain(after: .milliseconds(500)) == [])
    }

    @Test func `of two changes in one millisecond Redis says which was the later`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 50)
        #expect(talk.heard("amy", false, at: 50) == ["read", "tell [0] amy off 50"])
        #expect(talk.read() == ["amy"])
        #expect(talk.answered(true, at: 50) == ["tell [0] amy on 50"])
    }

    @Test
    func `what the channel brings while Redis is asked holds against an older answer, and a tie is asked about again`()
    {
        let talk = WatchConversation.watching("amy")
        _ = talk.doubtAll()
        _ = talk.read()
        #expect(talk.heard("amy", true, at: 50) == ["tell [0] amy on 50"])
        #expect(talk.answered(false, at: 40) == [])
        _ = talk.doubtAll()
        _ = talk.read()
        _ = talk.heard("amy", true, at: 50)
        #expect(talk.answered(false, at: 50) == ["read"])
        #expect(talk.read() == ["amy"])
        #expect(talk.answered(false, at: 60) == ["tell [0] amy off 60"])
    }

    @Test
    func `an answer over a break counts for none, and what was missed is asked for once the channel stands again`() {
        let talk = WatchConversation()
        _ = talk.watch(["amy"])
        _ = talk.subscribed("amy")
        _ = talk.read()
        talk.linkLost()
        #expect(talk.answered(true, at: 50) == ["read"])
        #expect(talk.read() == [])
        #expect(talk.subscribed("amy") == ["read"])
        #expect(talk.read() == ["amy"])
        #expect(talk.answered(nil) == [])
        #expect(talk.tick(after: .milliseconds(50)) == ["read"])
        #expect(talk.read() == ["amy"])
        #expect(talk.answered(true, at: 60) == ["answer 1 of 0: amy on"])
    }

    @Test func `a question that fails at once is asked again with time, and not in the same turn`() {
        let talk = WatchConversation.watching("amy", "bob")
        #expect(talk.doubtAll() == ["read"])
        #expect(talk.read() == ["amy", "bob"])
        #expect(talk.answered(nil) == [], "or a loop would do nothing else for as long as Redis is down")
        #expect(talk.isWaiting)
        #expect(talk.tick(after: .milliseconds(50)) == ["read"])
        #expect(talk.read() == ["amy", "bob"])
        let known = KnownState(isOnline: true, timestamp: 60)
        #expect(talk.answered([known, known]).count == 2)
        #expect(!talk.isWaiting)
    }

    @Test func `whom Redis cannot be asked about waits, and the others do not`() {
        let talk = WatchConversation()
        _ = talk.watch(["amy", "bob"])
        _ = talk.subscribed("amy")
        _ = talk.subscribed("bob")
        talk.unreachable = [UserID(unchecked: "amy")]
        #expect(talk.read() == ["bob"])
        #expect(talk.isWaiting)
        #expect(talk.tick(after: .milliseconds(50)) == ["read"])
        talk.unreachable = []
        #expect(talk.read() == ["amy"])
    }

    @Test func `one whose state is in doubt is answered for only when Redis has told it`() {
        let talk = WatchConversation.watching("amy")
        #expect(talk.doubtAll() == ["read"])
        #expect(talk.watch(["amy"], hub: 1) == [])
        _ = talk.read()
        #expect(talk.answered(true, at: 50) == ["tell [0] amy on 50", "answer 2 of 1: amy on"])
    }

    @Test func `a Redis that has forgotten who is online is given time, and is believed after that`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 50)
        _ = talk.doubtAll()
        _ = talk.read()
        #expect(talk.answered(false, at: 0) == ["ask about amy later"])
        #expect(talk.askAgain(after: .milliseconds(32_999)) == ["read"])
        _ = talk.read()
        #expect(talk.answered(false, at: 0) == ["ask about amy later"])
        #expect(talk.askAgain(after: .milliseconds(1)) == ["read"])
        _ = talk.read()
        #expect(talk.answered(false, at: 0) == ["tell [0] amy off 0"])
    }

    @Test
    func
        `one whom a node registers again meanwhile is not asked about any more, and has gone where Redis saw it later`()
    {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 50)
        _ = talk.doubtAll()
        _ = talk.read()
        #expect(talk.answered(false, at: 0) == ["ask about amy later"])
        _ = talk.heard("amy", true, at: 60)
        #expect(talk.askAgain(after: .milliseconds(500)) == [])
        _ = talk.doubtAll()
        _ = talk.read()
        #expect(talk.answered(false, at: 70) == ["tell [0] amy off 70"])
    }

    @Test func `a Redis that has forgotten who has gone brings nobody back whom it then sweeps`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 50)
        _ = talk.heard("amy", false, at: 60)
        _ = talk.doubtAll()
        _ = talk.read()
        #expect(talk.answered(true, at: 50) == ["ask about amy later"])
        #expect(talk.watch(["amy"], hub: 1) == ["answer 2 of 1: amy off 60"])
        #expect(talk.heard("amy", false, at: 90) == [])
        #expect(talk.askAgain(after: .milliseconds(500)) == [])
    }

    @Test func `whom such a Redis shows online for as long as it may err has come back`() {
        let talk = WatchConversation.watching("amy")
        _ = talk.heard("amy", true, at: 50)
        _ = talk.heard("amy", false, at: 60)
        _ = talk.doubtAll()
        _ = talk.read()
        #expect(talk.answered(true, at: 50) == ["ask about amy later"])
        #expect(talk.askAgain(after: .seconds(33)) == ["read"])
        _ = talk.read()
        #expect(talk.answered(true, at: 50) == ["tell [0] amy on 50"])
    }

    @Test func `a hub that is not answered in time is told so, once, and its users are let go`() {
        let talk = WatchConversation()
        _ = talk.watch(["amy"], hub: 3)
        #expect(talk.tick(after: .milliseconds(4999)) == [])
        #expect(talk.tick(after: .milliseconds(1)) == ["fail 1 of 3"])
        _ = talk.subscribed("amy")
        _ = talk.read()
        #expect(talk.answered(true, at: 50) == [])
        #expect(talk.tick(after: .seconds(2)) == [#"unsubscribe ["amy"]"#])
        #expect(!talk.isWaiting)
    }

    @Test func `one taken back before the answer is not followed, and one taken back later a little while`() {
        let talk = WatchConversation()
        _ = talk.watch(["amy", "bob"])
        talk.unwatch("amy")
        for user in ["amy", "bob"] { _ = talk.subscribed(user) }
        _ = talk.read()
        #expect(
            talk.answered([.init(isOnline: true, timestamp: 1), .init(isOnline: true, timestamp: 2)]) == [
                "answer 1 of 0: amy on, bob on"
            ])
        #expect(talk.heard("amy", false, at: 10) == [])
        #expect(talk.heard("bob", false, at: 10) == ["tell [0] bob off 10"])
        talk.unwatch("bob")
        #expect(talk.tick(after: .milliseconds(1999)) == [])
        _ = talk.watch(["bob"])
        #expect(talk.tick(after: .milliseconds(1)) == [#"unsubscribe ["amy"]"#])
        #expect(talk.watched == ["bob"])
    }

    @Test func `where room is scarce those whom nobody watches make way at once`() {
        let talk = WatchConversation(maxWatched: 64)
        for round in 0..<20 {
            let users = (0..<40).map { "user \(round) \($0)" }
            #expect(!talk.watch(users).contains { $0.hasPrefix("fail") })
            for user in users { _ = talk.subscribed(user) }
            _ = talk.read()
            _ = talk.answered(users.map { _ in .init(isOnline: false, timestamp: 0) })
            for user in users { talk.unwatch(user) }
        }
        #expect(talk.watched.count == 40)
    }

    @Test func `the last room is for those that watch few, and whoever is watched already takes none`() {
        let talk = WatchConversation(maxWatched: 1000)
        let users = (0..<900).map { "user \($0)" }
        _ = talk.watch(Array(users[..<800]))
        #expect(talk.watch(Array(users[800..<813])) == ["fail 2 of 0"])
        #expect(talk.watch(Array(users[800..<805]), hub: 1).count == 1)
        #expect(talk.watched.count == 805)
        #expect(talk.watch(Array(users[..<800]), hub: 2) == [])
    }
}
