import GatewayCore
import NIOCore
import SocketServer
import Synchronization
import Testing
import WebSocketFrames

/// What is asked for is paid for before it is done, and by whoever asks.
@Suite
struct PayingTests {
    private static let waiting = SocketServerConfiguration.Authentication.jwt(TableVerifier([:]))

    /// A frame of some hundred bytes that stands for ten thousand, most of them fields that mean nothing.
    private func bomb() throws -> ByteBuffer {
        let text = #"{"type":"ping""# + String(repeating: #","\n":0"#, count: 1400) + "}"
        let compressor = try #require(FrameCompressor(minimumBytes: 0))
        var frame = ByteBuffer()
        Array(text.utf8).withUnsafeBytes { compressor.write(.text, $0, mask: 7, into: &frame) }
        #expect(frame.readableBytes < 200)
        return frame
    }

    private func compressing(_ embedded: EmbeddedHub, _ target: String) throws -> EmbeddedSocket {
        let socket = try embedded.accept()
        let offer = [("Sec-WebSocket-Extensions", "permessage-deflate")]
        try socket.send(ByteBuffer(string: TestClient.request(target, headers: offer)))
        embedded.advance(.milliseconds(500))
        let head = try #require(socket.takeHead())
        try #require(head.contains("\r\nSec-WebSocket-Extensions: permessage-deflate;"))
        socket.takeCompressed()
        return socket
    }

    // MARK: Strangers

    @Test func `a stranger that sends little that stands for much is closed before it has cost ten milliseconds`()
        throws
    {
        let embedded = EmbeddedHub { $0.authentication = Self.waiting }
        let stranger = try compressing(embedded, "/ws")
        let bomb = try bomb()
        var sent = 0
        while stranger.channel.isActive, sent < 1000 {
            try stranger.send(bomb)
            sent += 1
            if sent % 9 == 0 {
                let replies = try stranger.takeReplies()
                if replies.contains("close 4429") { break }
                #expect(replies.allSatisfy { $0.contains("bad_request") })
                // Malformed frames in a row are an end of their own.
                try stranger.send(#"{"type":"ping"}"#)
                if try stranger.takeReplies() == ["close 4429"] { break }
            }
            embedded.advance(.milliseconds(20))
        }
        #expect((20..<200).contains(sent))
    }

    @Test func `a stranger's message has 16 KiB at most; whoever has been let in may send more`() throws {
        let long = #"{"type":"ping","x":""# + String(repeating: "x", count: 17_000) + "\"}"
        let closed = EmbeddedHub { $0.authentication = Self.waiting }
        let stranger = try closed.upgrade("/ws")
        try stranger.send(long)
        #expect(try stranger.take() == ["close 1009"])
        let open = EmbeddedHub()
        let member = try open.enter()
        try member.send(long)
        #expect(try member.take() == [#"{"type":"pong"}"#])
    }

    @Test func `a stranger's half message ends it after ten seconds; a member's does not`() throws {
        var half = ByteBuffer()
        FrameEncoder.text(#"{"type":"auth","token":"x"}"#, mask: 7, into: &half)
        half = half.getSlice(at: 0, length: half.readableBytes - 1) ?? half
        let embedded = EmbeddedHub {
            $0.authentication = Self.waiting
            $0.limits.authTimeout = .seconds(120)
        }
        let stranger = try embedded.upgrade("/ws")
        try stranger.send(half)
        embedded.advance(.seconds(9))
        #expect(try stranger.takeReplies().isEmpty)
        embedded.advance(.seconds(3))
        #expect(try stranger.takeReplies() == ["close 4401"])
        let other = EmbeddedHub()
        let member = try other.enter()
        try member.send(half)
        other.advance(.seconds(15))
        #expect(try member.takeReplies().isEmpty)
    }

    // MARK: Waiting

    @Test func `what has no credit waits, pings in it are answered ahead, and then all is served in its order`() throws
    {
        let embedded = EmbeddedHub { $0.budgets = BudgetSettings(connection: Allowance(perSecond: .milliseconds(1))) }
        let member = try embedded.enter()
        var frames = ByteBuffer()
        // 8 ms of it: 5 are saved up, and three seconds' worth is owed.
        FrameEncoder.text(watch(1000), mask: 7, into: &frames)
        FrameEncoder.text(#"{"type":"ping","id":1}"#, mask: 7, into: &frames)
        FrameEncoder.ping(ByteBuffer(string: "p"), mask: 7, into: &frames)
        FrameEncoder.text(#"{"type":"ping","id":2}"#, mask: 7, into: &frames)
        try member.send(frames)
        #expect(try member.takeReplies().filter { $0 == "pong" || $0.contains("pong") } == ["pong"])
        embedded.advance(.milliseconds(1900))
        #expect(try member.takeReplies().isEmpty)
        embedded.advance(.milliseconds(200))
        // After two seconds all that has waited is looked at although nothing is left: a ping is still answered.
        #expect(try member.takeReplies() == [#"{"type":"pong","id":1}"#, #"{"type":"pong","id":2}"#])
    }

    @Test func `who owes for longer than two seconds is told when to come again, and closed for not heeding it`() throws
    {
        let embedded = EmbeddedHub { $0.budgets = BudgetSettings(connection: Allowance(perSecond: .milliseconds(1))) }
        let member = try embedded.enter()
        for _ in 1...8 {
            try member.send(watch(1000))
            try member.send(#"{"type":"unwatch","users":["u1"]}"#)
        }
        embedded.advance(.seconds(3))
        let refusal = try #require(try member.take().first { $0.contains("rate_limited") })
        let wait = try #require(refusal.firstMatch(of: /"retryAfterMs":(\d+)/).flatMap { Int($0.1) })
        #expect((500...60_000).contains(wait))
    }

    @Test func `the connections of one user wait for each other's debts, and another user's do not`() throws {
        let embedded = EmbeddedHub { $0.budgets = BudgetSettings(user: Allowance(perSecond: .milliseconds(1))) }
        let first = try embedded.enter("alice")
        let second = try embedded.enter("alice")
        let other = try embedded.enter("bob")
        try first.send(watch(1000))
        try second.send(watch(500))
        _ = try second.take()
        try second.send(#"{"type":"ping"}"#)
        #expect(try second.take().isEmpty)
        try other.send(#"{"type":"ping"}"#)
        #expect(try other.take() == [#"{"type":"pong"}"#])
    }

    private func watch(_ count: Int) -> String {
        #"{"type":"watch","users":["# + (1...count).map { "\"u\($0)\"" }.joined(separator: ",") + "]}"
    }

    // MARK: Rooms

    @Test func `a room that has been sent too much refuses messages for a while, whoever sends them`() throws {
        let embedded = EmbeddedHub { $0.budgets = BudgetSettings(room: Allowance(perSecond: .milliseconds(1))) }
        var members: [EmbeddedSocket] = []
        for index in 0..<200 {
            let member = try embedded.enter("u\(index)")
            try member.send(#"{"type":"join","roomId":"r"}"#)
            members.append(member)
        }
        // 12 MB go out, of which 5 were saved up.
        let payload = String(repeating: "x", count: 60_000)
        try members[0].send(#"{"type":"message","id":1,"roomId":"r","payload":"\#(payload)"}"#)
        #expect(try members[0].take().contains { $0.contains(#""type":"ack","id":1"#) })
        try members[1].send(#"{"type":"message","id":2,"roomId":"r","payload":1}"#)
        let refusal = try #require(try members[1].take().last)
        #expect(refusal.contains(#""code":"rate_limited""#))
        #expect(refusal.contains(#""retryAfterMs":"#))
        embedded.advance(.seconds(9))
        try members[1].send(#"{"type":"message","id":3,"roomId":"r","payload":1}"#)
        #expect(try members[1].take().contains { $0.contains(#""type":"ack","id":3"#) })
    }

    @Test func `what a full room refuses does not count as on its way to Redis`() throws {
        let embedded = EmbeddedHub {
            $0.budgets = BudgetSettings(room: Allowance(perSecond: .milliseconds(1)))
            $0.limits.rate = RateLimit(perSecond: 10_000, burst: 10_000)
        }
        let members = try (0..<200).map { index in
            let member = try embedded.enter("u\(index)")
            try member.send(#"{"type":"join","roomId":"r"}"#)
            return member
        }
        let payload = String(repeating: "x", count: 60_000)
        for _ in 1...100 { try members[0].send(#"{"type":"message","id":1,"roomId":"r","payload":"\#(payload)"}"#) }
        #expect(try members[0].take().filter { $0.contains("rate_limited") }.count > 90)
        embedded.advance(.seconds(60))
        try members[0].send(#"{"type":"message","id":3,"roomId":"r","payload":1}"#)
        #expect(try members[0].take().contains { $0.contains(#""type":"ack","id":3"#) })
    }

    // MARK: Turns

    @Test func `unpacking what many send takes a bounded part of a turn, and somebody's ping comes in between`() throws
    {
        let embedded = EmbeddedHub { $0.limits.rate = RateLimit(perSecond: 10_000, burst: 10_000) }
        let flood = try (0..<20).map { try compressing(embedded, "/ws?userId=u\($0)") }
        for socket in flood { _ = try socket.take() }
        let bystander = try embedded.enter("bystander")
        let bomb = try bomb()
        var frames = ByteBuffer()
        var ping = ByteBuffer()
        FrameEncoder.text(#"{"type":"ping"}"#, mask: 7, into: &ping)
        for _ in 1...30 {
            frames.writeImmutableBuffer(bomb)
            // Malformed frames in a row are an end of their own.
            frames.writeImmutableBuffer(ping)
        }
        for socket in flood { try socket.channel.writeInbound(frames) }
        embedded.loop.run()
        let served = try flood.map { try $0.take().filter { $0.contains("bad_request") }.count }
        // 20 ms of more than 60: each has had a share, or waits for one.
        #expect((100...300).contains(served.reduce(0, +)))
        #expect(served.max() ?? 0 <= 25)
        try bystander.send(#"{"type":"ping"}"#)
        #expect(try bystander.take() == [#"{"type":"pong"}"#])
        embedded.advance(.seconds(3))
        let rest = try flood.map { try $0.take().filter { $0.contains("bad_request") }.count }
        #expect(zip(served, rest).allSatisfy { $0 + $1 == 30 })
    }

    @Test func `a turn of many small frames is bounded like one of few large ones`() throws {
        let embedded = EmbeddedHub {
            $0.authentication = Self.waiting
            $0.limits.rate = RateLimit(perSecond: 100_000, burst: 100_000)
            $0.budgets = BudgetSettings(stranger: Allowance(perSecond: .milliseconds(100)))
        }
        var frames = ByteBuffer()
        for _ in 1...400 { FrameEncoder.text(#"{"type":"ping"}"#, mask: 7, into: &frames) }
        let strangers = try (0..<40).map { _ in try embedded.upgrade("/ws") }
        for stranger in strangers { try stranger.channel.writeInbound(frames) }
        // Forty times the share of one would be 80 ms, twenty are what a turn has.
        let served = try strangers.map { try $0.takeReplies().count }
        #expect((2000...5000).contains(served.reduce(0, +)))
        embedded.advance(.seconds(2))
        let rest = try strangers.map { try $0.takeReplies().count }
        #expect(zip(served, rest).allSatisfy { $0 + $1 == 400 })
    }

    // MARK: Sessions

    @Test func `so many go on with a session at a time; the others' turn comes when one has its answer`() throws {
        let embedded = EmbeddedHub { $0.limits.authTimeout = .seconds(120) }
        for index in 0..<70 { _ = try embedded.enter("u\(index)") }
        embedded.backend.holdRegistrations()
        let resumed = try (0..<70).map { try embedded.upgrade("/ws?userId=u\($0)&session=s\($0 + 1)") }
        let held = embedded.backend.state.withLock { $0.heldRegistrations.count }
        #expect(held == 64)
        embedded.backend.releaseRegistrations()
        embedded.loop.run()
        #expect(embedded.backend.state.withLock { $0.sessionOf.count } == 70)
        #expect(resumed.allSatisfy { ((try? $0.take()) ?? []).contains { $0.contains(#""resumed":true"#) } })
    }

    @Test
    func `sessions are resumed one at a time while the node owes Redis's time, so that others' debts keep nobody out`()
        throws
    {
        let embedded = EmbeddedHub {
            $0.limits.authTimeout = .seconds(120)
            $0.budgets = BudgetSettings(node: Allowance(perSecond: .microseconds(1)))
        }
        for index in 0..<5 { _ = try embedded.enter("u\(index)") }
        embedded.backend.holdRegistrations()
        _ = try (0..<5).map { try embedded.upgrade("/ws?userId=u\($0)&session=s\($0 + 1)") }
        #expect(embedded.backend.state.withLock { $0.heldRegistrations.count } == 1)
        embedded.backend.releaseRegistrations()
        embedded.loop.run()
        #expect(embedded.backend.state.withLock { $0.sessionOf.count } == 5)
    }

    // MARK: Who spends what

    @Test func `what has become much is told to the account of who spends what, the rest when the connection ends`()
        throws
    {
        let tally = Tally()
        let embedded = EmbeddedHub(tally: tally)
        let alice = try embedded.enter("alice")
        try alice.send(watch(1000))
        let much = tally.spending(of: "alice")
        #expect(much.redisNanoseconds >= 4_000_000)
        #expect(much.bytesIn > 5000)
        let bob = try embedded.enter("bob")
        try bob.send(#"{"type":"ping"}"#)
        #expect(tally.spending(of: "bob") == Spending())
        try bob.channel.close().wait()
        embedded.loop.run()
        #expect(tally.spending(of: "bob").bytesIn > 0)
        #expect(tally.addresses == ["127.0.0.1"])
    }

    @Test func `what messages to a room cost is told at the next tick, however little it is`() throws {
        let tally = Tally()
        let embedded = EmbeddedHub(tally: tally)
        let members = try ["alice", "bob", "carol"].map { try embedded.enter($0) }
        for member in members { try member.send(#"{"type":"join","roomId":"r"}"#) }
        let payload = String(repeating: "x", count: 98)
        for _ in 0..<5 { try members[0].send(#"{"type":"message","roomId":"r","payload":"\#(payload)"}"#) }
        #expect(tally.spending(in: "r") == Spending(), "nothing is told for each message")
        embedded.advance(.milliseconds(500))
        let told = tally.spending(in: "r")
        #expect(told.bytesIn == 500)
        #expect(told.bytesOut == 1500)
        #expect(told.redisNanoseconds >= 5 * 20_000 && told.processorNanoseconds >= 5 * 20_000)
        embedded.advance(.seconds(2))
        #expect(tally.spending(in: "r") == told, "once")
        try members[1].send(#"{"type":"message","roomId":"r","payload":1}"#)
        try members[1].send(#"{"type":"join","roomId":"s"}"#)
        try members[1].send(#"{"type":"message","roomId":"s","payload":1}"#)
        for member in members { try member.channel.close().wait() }
        embedded.advance(.milliseconds(500))
        #expect(tally.spending(in: "r").bytesIn == 501)
        #expect(tally.spending(in: "s").bytesIn == 1, "the room was gone by then")
    }

    private final class Tally: SpendingTally {
        private let told = Mutex<(users: [String: Spending], addresses: Set<String>)>(([:], []))
        private let rooms = Mutex<[String: Spending]>([:])

        func spending(in room: String) -> Spending { rooms.withLock { $0[room] ?? Spending() } }

        func spending(of user: String) -> Spending { told.withLock { $0.users[user] ?? Spending() } }
        var addresses: Set<String> { told.withLock { $0.addresses } }

        func spent(_ spending: Spending, by user: UserID?, at address: String) {
            told.withLock {
                $0.users[user?.string ?? "", default: Spending()] += spending
                $0.addresses.insert(address)
            }
        }

        func spent(_ spending: Spending, in room: RoomName) {
            rooms.withLock { $0[room.string, default: Spending()] += spending }
        }
    }
}
