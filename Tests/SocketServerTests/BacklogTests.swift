import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer
import Testing

/// How much is held for clients that catch up with many rooms and read slowly.
@Suite
struct BacklogTests {
    private static let rooms = (0..<40).map { "r\($0)" }
    private static let messages = 30
    private static let queuedBytes = 80_000

    private let embedded = EmbeddedHub {
        $0.maxQueuedBytes = BacklogTests.queuedBytes
        $0.limits.rate = RateLimit(perSecond: 1_000_000, burst: 1_000_000)
        $0.budgets = BudgetSettings(connection: .unlimited, user: .unlimited)
    }

    private func fill(_ bytes: Int = 1000, count: Int = messages) {
        let payload = "\"" + String(repeating: "x", count: bytes - 2) + "\""
        for room in Self.rooms { for _ in 0..<count { embedded.publish(room, payload) } }
    }

    /// Reads until nothing more comes, and checks at each step what is held; answers the numbers seen of each room.
    ///
    /// - Parameter givenUp: bytes of what was held before and nobody wants.
    private func read(
        _ socket: EmbeddedSocket, _ clog: Clog, largest: Int = 1200, givenUp: Int = 0
    ) throws -> [String: [Int]] {
        var seen: [String: [Int]] = [:]
        var read = givenUp
        repeat {
            #expect(embedded.backend.missedBytes - read <= Self.queuedBytes * 3 / 4 + largest)
            clog.letThrough()
            // What is more than a turn may take comes in the next ones.
            embedded.advance(.milliseconds(20))
            for frame in try socket.takeMessages() {
                let words = frame.split(separator: " ")
                seen[String(words[0]), default: []].append(Int(words[1]) ?? 0)
                read += largest
            }
        } while clog.waitingBytes > 0
        return seen
    }

    private func expectAll(_ seen: [String: [Int]], after first: Int = 0, count: Int = messages) {
        for room in Self.rooms { #expect(seen[room] == Array(first + 1...count), "\(room)") }
    }

    @Test
    func `a client that joins many rooms with positions has a part of what it missed held, and gets all, in order`()
        throws
    {
        fill()
        let socket = try embedded.enter()
        let clog = try socket.clog()
        for room in Self.rooms { try socket.send(#"{"type":"join","roomId":"\#(room)","since":{"seq":0}}"#) }
        expectAll(try read(socket, clog))
        clog.open()
        for room in Self.rooms { embedded.publish(room) }
        #expect(Set(try socket.takeMessages()) == Set(Self.rooms.map { "\($0) \(Self.messages + 1)" }))
    }

    @Test func `a client that resumes in many rooms has no more held, also while the last room has not answered`()
        throws
    {
        let old = try embedded.enter()
        for room in Self.rooms { try old.send(#"{"type":"join","roomId":"\#(room)"}"#) }
        try old.channel.close().wait()
        fill()
        let socket = try embedded.upgrade("/ws?userId=alice&session=s1")
        let clog = try socket.clog()
        embedded.backend.hold(true)
        let since = Self.rooms.map { #""\#($0)":{"seq":5}"# }.joined(separator: ",")
        try socket.send(#"{"type":"resume","since":{\#(since)}}"#)
        embedded.backend.release(Self.rooms.count + 1)
        embedded.loop.run()
        #expect(embedded.backend.missedBytes <= Self.queuedBytes / 2)
        embedded.backend.hold(false)
        embedded.backend.release()
        embedded.loop.run()
        expectAll(try read(socket, clog), after: 5)
    }

    @Test func `messages larger than all that may be held come one at a time`() throws {
        fill(50_000, count: 3)
        let socket = try embedded.enter()
        let clog = try socket.clog()
        for room in Self.rooms { try socket.send(#"{"type":"join","roomId":"\#(room)","since":{"seq":0}}"#) }
        expectAll(try read(socket, clog, largest: 50_200), count: 3)
    }

    @Test func `rooms left while they wait for their turn make way for the others`() throws {
        fill()
        let socket = try embedded.enter()
        let clog = try socket.clog()
        for room in Self.rooms { try socket.send(#"{"type":"join","roomId":"\#(room)","since":{"seq":0}}"#) }
        for room in Self.rooms.dropLast() { try socket.send(#"{"type":"leave","roomId":"\#(room)"}"#) }
        let seen = try read(socket, clog, givenUp: embedded.backend.missedBytes)
        #expect(seen[Self.rooms.last ?? ""] == Array(1...Self.messages))
    }

    @Test func `what could not be asked for is asked for again when the streams are back`() throws {
        fill()
        let socket = try embedded.enter()
        let clog = try socket.clog()
        for room in Self.rooms { try socket.send(#"{"type":"join","roomId":"\#(room)","since":{"seq":0}}"#) }
        embedded.backend.goAway(true)
        clog.open()
        embedded.loop.run()
        let early = try socket.takeMessages()
        #expect(early.count < Self.rooms.count * Self.messages)
        embedded.backend.goAway(false)
        embedded.advance(.seconds(1))
        let frames = early + (try socket.takeMessages())
        for room in Self.rooms {
            #expect(frames.filter { $0.hasPrefix("\(room) ") } == (1...Self.messages).map { "\(room) \($0)" })
        }
    }
}
