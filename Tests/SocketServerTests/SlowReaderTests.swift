import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer
import Testing
import WebSocketFrames

/// Clients that read more slowly than their rooms speak.
@Suite
struct SlowReaderTests {
    private static let queuedBytes = 80_000

    private let metrics = CountingMetrics()
    private let memory = MemoryAccount(budget: .max)
    private let embedded: EmbeddedHub

    init() {
        embedded = EmbeddedHub(metrics: metrics, memory: memory) {
            $0.maxQueuedBytes = SlowReaderTests.queuedBytes
            $0.limits.rate = RateLimit(perSecond: 1_000_000, burst: 1_000_000)
            let plenty = Allowance(perSecond: .seconds(1000))
            $0.budgets = BudgetSettings(connection: plenty, user: plenty, room: plenty, node: plenty)
        }
    }

    private func enter(_ user: String = "alice", rooms: [String] = ["r"]) throws -> EmbeddedSocket {
        let socket = try embedded.enter(user)
        for room in rooms { try socket.send(#"{"type":"join","roomId":"\#(room)"}"#) }
        _ = try socket.take()
        return socket
    }

    private func publish(_ room: String = "r", bytes: Int = 2000) {
        embedded.publish(room, "\"" + String(repeating: "x", count: bytes) + "\"")
    }

    /// Reads part by part until nothing more comes; answers the messages as `room seq`.
    private func readAll(_ socket: EmbeddedSocket, _ clog: Clog) throws -> [String] {
        var messages: [String] = []
        for _ in 0..<200 {
            clog.letThrough()
            embedded.loop.run()
            messages += try socket.takeMessages()
        }
        return messages
    }

    @Test func `a slow reader gets every message once and in order, little waits for it, and then it is live again`()
        throws
    {
        let (slow, quick) = (try enter("slow"), try enter("quick"))
        let clog = try slow.clog(mark: Self.queuedBytes / 2)
        for seq in 1...300 {
            publish()
            #expect(try quick.takeMessages() == ["r \(seq)"])
            #expect(clog.waitingBytes < Self.queuedBytes)
        }
        embedded.advance(.seconds(1))
        #expect(memory.held(.sockets) == clog.waitingBytes)
        #expect(try readAll(slow, clog) == (1...300).map { "r \($0)" })
        clog.open()
        publish()
        #expect(try slow.takeMessages() == ["r 301"])
        embedded.advance(.seconds(1))
        #expect(memory.held == 0)
        #expect(metrics["martlet_slow_connections_total{outcome=fed_from_log}"] >= 1)
        #expect(metrics["martlet_connections_closed_total{code=4413}"] == 0)
    }

    @Test
    func
        `all that one turn brings in several rooms, and in the inbox, comes once and in order to who fell behind in it`()
        throws
    {
        let rooms = ["a", "b", "c", "@slow"]
        let slow = try enter("slow", rooms: ["a", "b", "c"])
        let clog = try slow.clog(mark: Self.queuedBytes / 2)
        let payload = Array(("\"" + String(repeating: "x", count: 3000) + "\"").utf8)
        for _ in 1...60 {
            for room in rooms {
                let publication = Publication(room: RoomName(unchecked: room), userId: .system, payload: payload)
                embedded.backend.publish(publication) { _ in }
            }
        }
        embedded.loop.run()
        // One chunk of each room at the most, over what may wait.
        #expect(clog.waitingBytes < Self.queuedBytes + rooms.count * (1 << 17))
        let messages = try readAll(slow, clog)
        for room in rooms {
            #expect(messages.filter { $0.hasPrefix("\(room) ") } == (1...60).map { "\(room) \($0)" })
        }
    }

    @Test func `a slow reader is told of a gap only where the log has moved on, and stays`() throws {
        let slow = try enter()
        let clog = try slow.clog(mark: Self.queuedBytes / 2)
        for _ in 1...100 { publish() }
        embedded.backend.forget(90, of: RoomName(unchecked: "r"))
        var frames: [String] = []
        for _ in 0..<50 {
            clog.letThrough()
            embedded.loop.run()
            frames += try slow.take()
        }
        #expect(frames.count { $0.contains(#""type":"gap""#) } == 1)
        let gap = try #require(frames.firstIndex { $0.contains(#""type":"gap""#) })
        #expect(frames[..<gap].last?.contains(#""type":"message""#) == true)
        #expect(frames.last?.hasSuffix(#""seq":100}"#) == true)
        #expect(slow.channel.isActive)
    }

    @Test func `who comes and goes while a slow reader is behind is told to it as a roster that has changed unseen`()
        throws
    {
        let slow = try enter("slow")
        let clog = try slow.clog(mark: Self.queuedBytes / 2)
        for _ in 1...40 { publish() }
        let other = try enter("other")
        try other.channel.close().wait()
        embedded.loop.run()
        var frames: [String] = []
        for _ in 0..<50 {
            clog.letThrough()
            embedded.loop.run()
            frames += try slow.take()
        }
        let presence = frames.filter { $0.contains(#""type":"presence""#) }
        #expect(presence.count == 1 && presence.first?.contains(#""events":[]"#) == true)
    }

    @Test func `a slow reader may leave and join again: it gets what comes from then on`() throws {
        let slow = try enter()
        let clog = try slow.clog(mark: Self.queuedBytes / 2)
        for _ in 1...100 { publish() }
        try slow.send(#"{"type":"leave","roomId":"r"}"#)
        try slow.send(#"{"type":"join","roomId":"r"}"#)
        publish()
        let messages = try readAll(slow, clog)
        #expect(messages.last == "r 101")
        #expect(messages == Array(Set(messages)).sorted { Int($0.dropFirst(2)) ?? 0 < Int($1.dropFirst(2)) ?? 0 })
    }

    @Test func `the socket's own word that it is full is enough to be fed from the log`() throws {
        let slow = try enter()
        slow.channel.isWritable = false
        slow.channel.pipeline.fireChannelWritabilityChanged()
        publish()
        #expect(metrics["martlet_slow_connections_total{outcome=fed_from_log}"] == 1)
        #expect(try slow.takeMessages() == ["r 1"])
    }

    @Test func `who takes no byte for thirty seconds is closed with 4413, whatever it sends`() throws {
        let socket = try enter()
        let clog = try socket.clog(mark: Self.queuedBytes / 2)
        publish()
        for _ in 1...29 {
            embedded.advance(.seconds(1))
            try socket.pong()
            try socket.send(#"{"type":"ping"}"#)
        }
        #expect(metrics["martlet_connections_closed_total{code=4413}"] == 0)
        embedded.advance(.seconds(2))
        #expect(metrics["martlet_connections_closed_total{code=4413}"] == 1)
        #expect(metrics["martlet_slow_connections_total{outcome=took_nothing}"] == 1)
        clog.letThrough()
        #expect(try socket.take().last == "close 4413")
        embedded.advance(.seconds(4))
        #expect(!socket.channel.isActive)
        #expect(memory.held == 0)
    }

    @Test func `who takes something now and then stays`() throws {
        let socket = try enter()
        let clog = try socket.clog()
        for _ in 1...20 { publish() }
        for _ in 1...6 {
            embedded.advance(.seconds(25))
            clog.letThroughOne()
            try socket.pong()
        }
        #expect(socket.channel.isActive && clog.waitingBytes > 0)
    }

    @Test func `answers that nobody reads end the connection when they alone are more than may wait`() throws {
        let socket = try enter()
        let clog = try socket.clog(mark: Self.queuedBytes / 2)
        var pings = ByteBuffer()
        for _ in 1...100 { FrameEncoder.ping(ByteBuffer(repeating: 0x78, count: 125), mask: 5, into: &pings) }
        var sent = 0
        while metrics["martlet_connections_closed_total{code=4413}"] == 0, sent < 100 {
            try socket.send(pings)
            embedded.advance(.milliseconds(20))
            sent += 1
        }
        #expect(metrics["martlet_slow_connections_total{outcome=too_much}"] == 1)
        #expect(clog.waitingBytes < 3 * Self.queuedBytes)
    }

    @Test func `signals for a receiver that does not read are dropped, and it gets the later ones`() throws {
        let (alice, bob) = (try enter("alice"), try enter("bob"))
        _ = try alice.take()
        let signal = #"{"type":"signal","to":"bob","roomId":"r","payload":1}"#
        bob.channel.isWritable = false
        for _ in 1...5 { try alice.send(signal) }
        #expect(try bob.take().isEmpty)
        #expect(metrics["martlet_signals_dropped_total"] == 5)
        bob.channel.isWritable = true
        try alice.send(signal)
        #expect(try bob.take().count == 1)
    }

    @Test func `messages without an answer from the log are bounded for a connection, and taken again after it`() throws
    {
        let embedded = EmbeddedHub { $0.maxUnansweredBytes = 10_000 }
        let socket = try embedded.enter()
        try socket.send(#"{"type":"join","roomId":"r"}"#)
        _ = try socket.take()
        embedded.backend.holdPublishes(true)
        let payload = String(repeating: "x", count: 3000)
        for id in 1...4 { try socket.send(#"{"type":"message","id":\#(id),"roomId":"r","payload":"\#(payload)"}"#) }
        let refused = try socket.take().filter { $0.contains(#""code":"unavailable""#) }
        #expect(refused.count == 2 && refused.allSatisfy { $0.contains(#""id":3"#) || $0.contains(#""id":4"#) })
        embedded.backend.holdPublishes(false)
        embedded.loop.run()
        _ = try socket.take()
        try socket.send(#"{"type":"message","id":5,"roomId":"r","payload":"\#(payload)"}"#)
        #expect(try socket.take().contains { $0.contains(#""type":"ack","id":5"#) })
    }
}

/// What happens above the budget of the whole node.
@Suite
struct NodeBudgetTests {
    private let metrics = CountingMetrics()
    private let memory = MemoryAccount(budget: 400_000)

    @Test func `above the budget the worst are fed from the log, then closed; whoever holds little stays`() throws {
        let embedded = EmbeddedHub(metrics: metrics, memory: memory) {
            $0.limits.rate = RateLimit(perSecond: 1_000_000, burst: 1_000_000)
        }
        let users = ["worst", "bad", "good"]
        var sockets: [EmbeddedSocket] = []
        for user in users {
            let socket = try embedded.enter(user)
            try socket.send(#"{"type":"join","roomId":"\#(user)"}"#)
            _ = try socket.take()
            sockets.append(socket)
        }
        let clogs = try sockets.map { try $0.clog() }
        let payload = "\"" + String(repeating: "x", count: 10_000) + "\""
        for (user, count) in zip(users, [30, 15, 2]) { for _ in 1...count { embedded.publish(user, payload) } }
        #expect(memory.isOverdrawn)
        embedded.advance(.seconds(1))
        #expect(metrics["martlet_slow_connections_total{outcome=fed_from_log}"] >= 1)
        #expect(metrics["martlet_connections_closed_total{code=4413}"] == 0)
        let waiting = clogs[0].waitingBytes
        for _ in 1...10 { embedded.publish("worst", payload) }
        #expect(clogs[0].waitingBytes == waiting)
        embedded.advance(.seconds(3))
        #expect(metrics["martlet_slow_connections_total{outcome=over_budget}"] == 1)
        embedded.advance(.seconds(4))
        #expect(sockets.map(\.channel.isActive) == [false, true, true])
        #expect(!memory.isOverdrawn)
    }

    @Test func `closing one after the other is one line of the log`() throws {
        let log = LogCollector()
        let embedded = EmbeddedHub(metrics: metrics, logger: log.logger, memory: memory) {
            $0.limits.rate = RateLimit(perSecond: 1_000_000, burst: 1_000_000)
        }
        let users = ["a", "b", "c", "d"]
        var sockets: [EmbeddedSocket] = []
        for user in users {
            let socket = try embedded.enter(user)
            try socket.send(#"{"type":"join","roomId":"\#(user)"}"#)
            _ = try socket.take()
            sockets.append(socket)
        }
        let clogs = try sockets.map { try $0.clog() }
        // Of other loops.
        memory.add(100_000_000, to: .mail)
        for user in users {
            for _ in 1...3 { embedded.publish(user, "\"" + String(repeating: "x", count: 10_000) + "\"") }
            embedded.advance(.seconds(2))
        }
        #expect(metrics["martlet_slow_connections_total{outcome=over_budget}"] == 4)
        #expect(log.lines.count { $0.hasPrefix("memory over its budget") } == 1)
        withExtendedLifetime(clogs) {}
    }

    @Test func `half messages count, and are forgotten when they are whole or their connection ends`() throws {
        let embedded = EmbeddedHub(memory: memory)
        let socket = try embedded.enter()
        var half = ByteBuffer()
        FrameEncoder.text(
            #"{"type":"message","x":"# + "\"" + String(repeating: "x", count: 9000) + "\"}", mask: 7, into: &half)
        let front = ByteBuffer(bytes: half.readableBytesView.prefix(8000))
        let rest = ByteBuffer(bytes: half.readableBytesView.dropFirst(8000))
        try socket.send(front)
        embedded.advance(.seconds(1))
        #expect(memory.held(.halfMessages) >= 7900)
        try socket.send(rest)
        embedded.advance(.seconds(1))
        #expect(memory.held(.halfMessages) == 0)
        try socket.send(front)
        embedded.advance(.seconds(1))
        try socket.channel.close().wait()
        embedded.advance(.seconds(1))
        #expect(memory.held == 0)
    }
}
