import GatewayCore
import Logging
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

@Suite("The ledger as receivers are given it")
struct WebhookLedgerTests {
    @Test func `events come in order, the same ones until they are settled, and then not again`() async throws {
        let bench = try await LedgerBench()
        try await bench.write(["user.online alice", "user.offline alice closed"])
        let first = try #require(try await bench.gather())
        #expect(first.texts == ["user.online alice", "user.offline alice closed"])
        #expect(first.kind == .news && !first.hasMore && first.lag == 2)
        let again = try #require(try await bench.gather())
        #expect(again.events == first.events)
        try await bench.settle(first)
        #expect(try await bench.gather() == nil)
        try await bench.write(["user.online alice"])
        let second = try #require(try await bench.gather())
        #expect(second.texts == ["user.online alice"])
        #expect(Set(first.events.map(\.id)).isDisjoint(with: second.events.map(\.id)))
    }

    @Test func `each receiver has a place of its own, and what it does not want is settled without being sent`()
        async throws
    {
        let bench = try await LedgerBench()
        let picky = WebhookReceiver(name: "hook-b", url: "http://b", types: ["user.offline"])
        try await bench.write(["user.online alice", "user.offline alice closed"])
        let all = try #require(try await bench.gather())
        try await bench.settle(all)
        let some = try #require(try await bench.gather(for: picky))
        #expect(some.texts == ["user.offline alice closed"])
        #expect(some.entries.count == 2)
        #expect(some.events[0].id == all.events[1].id)
        try await bench.settle(some, for: picky)
        #expect(try await bench.gather(for: picky) == nil)
    }

    @Test func `a coordinator that was replaced can neither read nor settle, and its batch comes to the next one`()
        async throws
    {
        let bench = try await LedgerBench()
        try await bench.write(["user.online alice"])
        let old = bench.assignment
        let batch = try #require(try await bench.gather())
        let new = try await bench.takeOver()
        await #expect(throws: LedgerError.refused) { try await bench.gather(under: old) }
        await #expect(throws: LedgerError.refused) { try await bench.settle(batch, under: old) }
        await #expect(throws: LedgerError.refused) { try await bench.ledger.trim(old, receivers: []) }
        let again = try #require(try await bench.gather(under: new))
        #expect(again.events == batch.events)
    }

    @Test func `a batch ends at a hundred events or 256 KiB, and the rest follows`() async throws {
        let bench = try await LedgerBench()
        try await bench.write((0..<150).map { "user.online u\($0)" })
        let first = try #require(try await bench.gather())
        #expect(first.events.count == 100 && first.hasMore)
        try await bench.settle(first)
        let second = try #require(try await bench.gather())
        #expect(second.events.count == 50 && !second.hasMore)
        try await bench.settle(second)

        for _ in 0..<6 { try await bench.writeMessage(String(repeating: "x", count: 100_000)) }
        var sizes: [Int] = []
        while let batch = try await bench.gather() {
            sizes.append(batch.events.count)
            try await bench.settle(batch)
        }
        #expect(sizes == [3, 3])
    }

    @Test func `what the ledger could not keep is counted and told before what follows, once`() async throws {
        let bench = try await LedgerBench()
        try await bench.write(["user.online a"])
        try await bench.settle(try #require(try await bench.gather()))
        try await bench.write((0..<50).map { "user.online u\($0)" })
        _ = try await bench.link.send(["XTRIM", .string(bench.events), "MAXLEN", 30])
        let loss = try #require(try await bench.gather())
        #expect(loss.kind == .loss)
        #expect(loss.events.map(\.type) == [EventType.lost] && loss.events[0].count == 20)
        #expect(try await bench.gather()?.events == loss.events)
        try await bench.settle(loss)
        let rest = try #require(try await bench.gather())
        #expect(rest.texts.first == "user.online u20" && rest.events.count == 30)
        // Given and not settled, they are lost too when they go.
        _ = try await bench.link.send(["XTRIM", .string(bench.events), "MAXLEN", 25])
        let second = try #require(try await bench.gather())
        #expect(second.events.map(\.count) == [5])
        #expect(second.events[0].id != loss.events[0].id)
        try await bench.settle(second)
        #expect(try await bench.gather()?.events.count == 25)
        #expect(try await bench.status().lost == 25)
    }

    @Test func `the ledger is trimmed up to the slowest receiver's place and no further`() async throws {
        var settings = WebhookLedgerSettings()
        settings.kept = 0
        let bench = try await LedgerBench(settings)
        let slow = WebhookReceiver(name: "hook-slow", url: "http://slow", types: nil)
        let both = [bench.receiver, slow]
        try await bench.write((0..<300).map { "user.online u\($0)" })
        for _ in 0..<3 { try await bench.settle(try #require(try await bench.gather())) }
        let held = try #require(try await bench.gather(for: slow))
        try await bench.ledger.trim(bench.assignment, receivers: both)
        #expect(try await bench.length() == 300)
        try await bench.settle(held, for: slow)
        _ = try await bench.gather(for: slow)
        try await bench.ledger.trim(bench.assignment, receivers: both)
        #expect(try await bench.length() == 200)
        #expect(try await bench.gather(for: slow)?.texts.first == "user.online u100")
    }

    @Test func `a receiver that nobody configures any more holds the ledger for a while, not for ever`() async throws {
        var settings = WebhookLedgerSettings()
        settings.kept = 0
        settings.forgottenAfter = .zero
        let bench = try await LedgerBench(settings)
        let gone = WebhookReceiver(name: "hook-gone", url: "http://gone", types: nil)
        try await bench.write((0..<200).map { "user.online u\($0)" })
        let held = try #require(try await bench.gather(for: gone))
        try await bench.settle(held, for: gone, as: .givenUp(reason: "gone"))
        #expect(try await bench.deadLetters(of: gone) == 100)
        for _ in 0..<2 { try await bench.settle(try #require(try await bench.gather())) }
        try await bench.ledger.trim(bench.assignment, receivers: [bench.receiver])
        #expect(try await bench.length() == 100)
        try await eventually("the ledger to be let go") {
            try await bench.ledger.trim(bench.assignment, receivers: [bench.receiver])
            return try await bench.length() == 0
        }
        // Nor do its dead letters stay.
        #expect(try await bench.deadLetters(of: gone) == 0)
    }

    @Test func `given up, events lie as dead letters until a replay has sent them`() async throws {
        let bench = try await LedgerBench()
        try await bench.write(["user.online alice", "user.offline alice lost"])
        let batch = try #require(try await bench.gather())
        try await bench.ledger.record("the receiver answered 500", of: bench.assignment, for: bench.receiver)
        try await bench.settle(batch, as: .givenUp(reason: "the receiver answered 503"))
        #expect(try await bench.gather() == nil)
        var status = try await bench.status()
        #expect(status.deadLetters == 2 && status.givenUp == 2 && status.lag == 0)
        #expect(status.lastError?.message == "the receiver answered 503")
        // The ledger itself has long let go of them.
        _ = try await bench.link.send(["XTRIM", .string(bench.events), "MAXLEN", 0])
        let order = ReplayOrder(start: .time(0), types: ["user.offline"])
        #expect(try await bench.directory.replay(order) == 1)
        let replay = try #require(try await bench.gather())
        #expect(replay.kind == .replay)
        #expect(replay.events == [batch.events[1]])
        try await bench.settle(replay)
        #expect(try await bench.gather() == nil)
        status = try await bench.status()
        #expect(status.deadLetters == 1 && status.givenUp == 2 && status.replaying == 0)
    }

    @Test func `what is given up when the ledger has let go of it is lost, and told as that`() async throws {
        let bench = try await LedgerBench()
        try await bench.write((0..<5).map { "user.online u\($0)" })
        let batch = try #require(try await bench.gather())
        _ = try await bench.link.send(["XTRIM", .string(bench.events), "MAXLEN", 2])
        try await bench.settle(batch, as: .givenUp(reason: "the receiver answered 503"))
        var status = try await bench.status()
        #expect(status.deadLetters == 2 && status.givenUp == 2 && status.lost == 3)
        // An answer that was lost on its way has it said again.
        try await bench.settle(batch, as: .givenUp(reason: "the receiver answered 503"))
        status = try await bench.status()
        #expect(status.deadLetters == 2 && status.givenUp == 2 && status.lost == 3)
        let loss = try #require(try await bench.gather())
        #expect(loss.kind == .loss && loss.events.map(\.count) == [3])
        try await bench.settle(loss)
        #expect(try await bench.gather() == nil)
    }

    @Test func `a replay sends what was sent, under the same ids, before what is new; it can begin at an event`()
        async throws
    {
        let bench = try await LedgerBench()
        try await bench.write(["user.online a", "user.online b", "user.online c"])
        let batch = try #require(try await bench.gather())
        try await bench.settle(batch)
        try await bench.write(["user.online d"])
        #expect(try await bench.directory.replay(ReplayOrder(start: .event(batch.events[1].id))) == 1)
        let replay = try #require(try await bench.gather())
        #expect(replay.kind == .replay && replay.events == Array(batch.events.dropFirst()))
        try await bench.settle(replay)
        let news = try #require(try await bench.gather())
        #expect(news.kind == .news && news.texts == ["user.online d"])
        #expect(try await bench.directory.replay(ReplayOrder(start: .time(0), url: "http://nobody")) == 0)
    }

    @Test func `a replay that is asked for while another is under way takes nothing from it`() async throws {
        let bench = try await LedgerBench()
        try await bench.write(["user.online a", "user.offline a closed", "room.vacated b", "user.online c"])
        let batch = try #require(try await bench.gather())
        try await bench.settle(batch)
        let ids = batch.events.map(\.id)
        _ = try await bench.directory.replay(ReplayOrder(start: .event(ids[1]), types: ["user.online"]))
        _ = try await bench.directory.replay(
            ReplayOrder(start: .event(ids[2]), types: ["room.vacated", "user.online"]))
        let both = try #require(try await bench.gather())
        #expect(both.texts == ["room.vacated b", "user.online c"])
        // One that begins earlier brings that with it, also where the first is on its way.
        _ = try await bench.directory.replay(ReplayOrder(start: .time(0)))
        try await bench.settle(both)
        let all = try #require(try await bench.gather())
        #expect(all.events == batch.events)
        try await bench.settle(all)
        _ = try await bench.directory.replay(ReplayOrder(start: .time(.max / 2), types: ["user.online"]))
        #expect(try await bench.gather() == nil)
    }

    @Test func `a replay for a receiver that has no place yet brings what was before its beginning`() async throws {
        let bench = try await LedgerBench()
        _ = try await bench.link.send([
            "XADD", .string(bench.events), "1000-0", "t", "user.online", "u", "old", "r", "", "c", "",
        ])
        _ = try await bench.directory.replay(ReplayOrder(start: .time(0)))
        try await bench.write(["user.online new"])
        let replay = try #require(try await bench.gather())
        #expect(replay.kind == .replay && replay.texts == ["user.online old"])
        try await bench.settle(replay)
        #expect(try await bench.gather()?.texts == ["user.online new"])
    }

    @Test func `a replay can be asked for by a receiver's URL as it is shown`() async throws {
        let bench = try await LedgerBench(url: "https://user:pass@a.example/hooks?token=x")
        try await bench.write(["user.online a"])
        try await bench.settle(try #require(try await bench.gather()))
        for (url, count) in [
            ("https://a.example/hooks", 1), ("https://user:pass@a.example/hooks?token=x", 1),
            ("https://a.example/", 0),
        ] {
            #expect(try await bench.directory.replay(ReplayOrder(start: .time(0), url: url)) == count, "\(url)")
        }
    }

    @Test func `a replay that is given up ends, and no dead letter goes with it`() async throws {
        let bench = try await LedgerBench()
        try await bench.write(["user.online a"])
        try await bench.settle(try #require(try await bench.gather()))
        _ = try await bench.directory.replay(ReplayOrder(start: .time(0)))
        try await bench.settle(try #require(try await bench.gather()), as: .givenUp(reason: "down"))
        #expect(try await bench.gather() == nil)
        #expect(try await bench.status().givenUp == 0)
    }

    @Test func `a message that a room's rule tells of brings its payload as it was sent`() async throws {
        let bench = try await LedgerBench()
        try await bench.writeMessage(#"{ "a" : 1.0 }"#)
        let event = try #require(try await bench.gather()?.events.first)
        #expect(event.type == "message.published" && event.roomId == "lesson-1" && event.userId == "bo b")
        #expect(event.message?.payload == Array(#"{ "a" : 1.0 }"#.utf8))
        #expect(event.message?.position == Position(epoch: "e1", seq: 7) && event.timestamp == 1234)
    }

    @Test func `a new receiver begins two minutes back`() async throws {
        let bench = try await LedgerBench()
        let time = try await bench.link.send(["TIME"])
        let now = try #require(time[0].integer) * 1000
        for (age, user) in [(600_000, "old"), (60_000, "young")] {
            _ = try await bench.link.send([
                "XADD", .string(bench.events), .string("\(now - Int64(age))-0"), "t", "user.online", "u", .string(user),
                "r", "", "c", "",
            ])
        }
        let batch = try #require(try await bench.gather())
        #expect(batch.texts == ["user.online young"])
        try await bench.settle(batch)
        #expect(try await bench.status().lag == 0)
    }
}
