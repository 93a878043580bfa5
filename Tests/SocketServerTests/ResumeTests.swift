import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer
import Testing

/// Sessions that come back, and listeners that are caught up.
@Suite
struct ResumeTests {
    private func join(_ socket: EmbeddedSocket, _ room: String = "r", since: Int? = nil) throws {
        let position = since.map { #","since":{"epoch":"e1","seq":\#($0)}"# } ?? ""
        try socket.send(#"{"type":"join","id":1,"roomId":"\#(room)"\#(position)}"#)
    }

    /// Alice with session `s1`, in these rooms.
    private func begin(_ embedded: EmbeddedHub, _ rooms: String...) throws -> EmbeddedSocket {
        let socket = try embedded.enter("alice")
        for room in rooms { try join(socket, room) }
        _ = try socket.take()
        return socket
    }

    private func comeBack(_ embedded: EmbeddedHub) throws -> EmbeddedSocket {
        let socket = try embedded.upgrade("/ws?userId=alice&session=s1")
        let welcome = try #require(try socket.take().first)
        #expect(welcome.contains(#""session":"s1","resumed":true"#))
        return socket
    }

    @Test
    func
        `one resume brings back all rooms, the inbox and everyone's room, each with what was missed and nothing twice`()
        throws
    {
        let embedded = EmbeddedHub()
        let old = try begin(embedded, "a", "b")
        for room in ["a", "b", "*", "@alice"] { embedded.publish(room) }
        _ = try old.take()
        try old.channel.close().wait()
        for room in ["a", "a", "b", "*", "@alice"] { embedded.publish(room) }
        let back = try comeBack(embedded)
        for room in ["a", "b", "*", "@alice"] { embedded.publish(room) }
        #expect(try back.take() == [])
        try back.send(
            #"{"type":"resume","id":7,"since":{"a":{"epoch":"e1","seq":1},"@alice":{"seq":1},"*":{"seq":1}}}"#)
        let frames = try back.take()
        #expect(
            frames.first
                == #"{"type":"resumed","id":7,"rooms":[{"roomId":"*","epoch":"e1","seq":3,"recovered":true},"#
                + #"{"roomId":"@alice","epoch":"e1","seq":3,"recovered":true},"#
                + #"{"roomId":"a","epoch":"e1","seq":4,"recovered":true},"#
                + #"{"roomId":"b","epoch":"e1","seq":3,"recovered":true}]}"#)
        for room in ["a", "b", "*", "@alice"] { embedded.publish(room) }
        let messages = (frames + (try back.take())).filter { $0.contains(#""type":"message""#) }
        func seqs(_ room: String) -> [Int] {
            messages.filter { $0.contains(#""roomId":"\#(room)""#) }
                .compactMap { $0.firstMatch(of: /"seq":(\d+)/).flatMap { Int($0.1) } }
        }
        #expect(seqs("a") == [2, 3, 4, 5])
        // Not named: it goes on from when resume came.
        #expect(seqs("b") == [4])
        #expect(seqs("*") == [2, 3, 4])
        #expect(seqs("@alice") == [2, 3, 4])
    }

    @Test func `messages that come while the last room has not answered follow resumed, once and in order`() throws {
        let embedded = EmbeddedHub()
        let old = try begin(embedded, "a", "b")
        embedded.publish("a")
        try old.channel.close().wait()
        let back = try comeBack(embedded)
        // Another member of the room, so that its messages come in the meantime.
        let other = try embedded.enter("other")
        try join(other, "a")
        _ = try other.take()
        embedded.backend.hold(true)
        try back.send(#"{"type":"resume","id":7,"since":{"a":{"epoch":"e1","seq":0}}}"#)
        embedded.publish("a")
        embedded.backend.release(2)
        embedded.loop.run()
        embedded.backend.release(1)
        embedded.loop.run()
        embedded.publish("a")
        embedded.publish("a")
        #expect(try back.take() == [])
        embedded.backend.hold(false)
        embedded.backend.release()
        embedded.loop.run()
        embedded.publish("a")
        let frames = try back.take()
        #expect(frames.first?.hasPrefix(#"{"type":"resumed","id":7"#) == true)
        let seqs = frames.compactMap { $0.firstMatch(of: /"type":"message".*"seq":(\d+)/).flatMap { Int($0.1) } }
        #expect(seqs == [1, 2, 3, 4, 5])
        #expect(try other.takeMessages() == ["a 2", "a 3", "a 4", "a 5"])
    }

    @Test func `nothing of a resumed session's rooms is sent for ten seconds, then they go on from there`() throws {
        let embedded = EmbeddedHub()
        let old = try begin(embedded, "a")
        try old.channel.close().wait()
        let back = try comeBack(embedded)
        embedded.publish("a")
        embedded.publish("*")
        embedded.advance(.milliseconds(9_900))
        embedded.publish("a")
        #expect(try back.takeReplies() == [])
        embedded.advance(.milliseconds(700))
        // Nobody told it who is in the room by now.
        let notice = #"{"type":"presence","roomId":"a","events":[],"members":1,"rosterVersion":3,"timestamp":1000}"#
        #expect(try back.takeReplies() == [notice])
        embedded.publish("a")
        embedded.publish("*")
        #expect(Set(try back.takeMessages()) == ["a 3", "* 2"])
    }

    @Test func `a room that resume could not have goes on by itself from its position, once it can be had`() throws {
        let embedded = EmbeddedHub()
        let old = try begin(embedded, "a")
        embedded.publish("a")
        try old.channel.close().wait()
        let back = try comeBack(embedded)
        embedded.publish("a")
        embedded.backend.goAway(true)
        try back.send(#"{"type":"resume","id":7,"since":{"a":{"epoch":"e1","seq":1}}}"#)
        embedded.loop.run()
        #expect(try back.take().contains { $0.contains(#"{"roomId":"a","code":"unavailable"}"#) })
        embedded.backend.goAway(false)
        embedded.publish("a")
        embedded.advance(.seconds(2))
        embedded.publish("a")
        #expect(try back.takeMessages() == ["a 2", "a 3", "a 4"])
    }

    @Test func `a session resumed while its old socket is still open closes that one with 4409`() throws {
        let embedded = EmbeddedHub()
        let old = try begin(embedded, "a")
        let back = try comeBack(embedded)
        #expect(try old.take() == ["close 4409"])
        #expect(embedded.backend.told.contains("disconnect alice farewell replaced"))
        try back.send(#"{"type":"resume","since":{"a":{"seq":0}}}"#)
        embedded.publish("a")
        #expect(try back.takeMessages() == ["a 1"])
    }

    @Test func `an unknown session begins a new one`() throws {
        let embedded = EmbeddedHub()
        let socket = try embedded.upgrade("/ws?userId=alice&session=never")
        #expect(try socket.take().first?.contains(#""session":"s1","resumed":false"#) == true)
        try socket.send(#"{"type":"resume","id":1,"since":{}}"#)
        #expect(try socket.take().first?.contains(#""id":1,"code":"conflict""#) == true)
    }

    // MARK: Catching up

    @Test func `what a joiner missed comes after joined, page by page, then what is live`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.limitPages(to: 3)
        for _ in 1...10 { embedded.publish("r") }
        let socket = try embedded.enter()
        try join(socket, since: 2)
        embedded.publish("r")
        let frames = try socket.take()
        #expect(frames.first?.contains(#""type":"joined","id":1,"roomId":"r","epoch":"e1","seq":10"#) == true)
        let seqs = frames.compactMap { $0.firstMatch(of: /"type":"message".*"seq":(\d+)/).flatMap { Int($0.1) } }
        #expect(seqs == Array(3...11))
    }

    @Test func `a joiner that reads slowly is sent a part at a time, and goes live with everything in between`() throws
    {
        let embedded = EmbeddedHub { $0.maxQueuedBytes = 40_000 }
        embedded.backend.limitPages(to: 20)
        let payload = "\"" + String(repeating: "x", count: 1000) + "\""
        for _ in 1...50 { embedded.publish("r", payload) }
        let socket = try embedded.enter()
        let clog = Clog()
        try socket.channel.pipeline.syncOperations.addHandler(clog, position: .first)
        clog.close()
        try join(socket, since: 0)
        var greatest = 0
        var rounds = 0
        var head = 50
        while clog.waitingBytes > 0 {
            greatest = max(greatest, clog.waitingBytes)
            // Somebody goes on writing meanwhile.
            if rounds < 10 {
                embedded.publish("r", payload)
                head += 1
            }
            clog.letThrough()
            embedded.loop.run()
            rounds += 1
        }
        // A quarter of what may wait, and the last message of the part.
        #expect(greatest < 12_000)
        #expect(rounds > 4)
        clog.open()
        embedded.publish("r", payload)
        let frames = try socket.take()
        let seqs = frames.compactMap { $0.firstMatch(of: /"type":"message".*"seq":(\d+)/).flatMap { Int($0.1) } }
        #expect(seqs == Array(1...head + 1))
    }

    /// A client that reads nothing, on its way through fifty messages of a thousand bytes in room `r`.
    private func joinSlowly(_ embedded: EmbeddedHub) throws -> (socket: EmbeddedSocket, clog: Clog) {
        let payload = "\"" + String(repeating: "x", count: 1000) + "\""
        for _ in 1...50 { embedded.publish("r", payload) }
        let socket = try embedded.enter()
        let clog = Clog()
        try socket.channel.pipeline.syncOperations.addHandler(clog, position: .first)
        clog.close()
        try join(socket, since: 0)
        return (socket, clog)
    }

    @Test func `a join without a position tells one that is being caught up what it has been sent, not what is there`()
        throws
    {
        let embedded = EmbeddedHub { $0.maxQueuedBytes = 40_000 }
        let (socket, clog) = try joinSlowly(embedded)
        clog.letThrough()
        embedded.loop.run()
        try join(socket)
        clog.open()
        embedded.loop.run()
        let frames = try socket.take()
        let seqs = frames.map { $0.firstMatch(of: /"seq":(\d+)/).flatMap { Int($0.1) } ?? 0 }
        let second = try #require(frames.lastIndex { $0.contains(#""type":"joined""#) })
        #expect(second > 1 && seqs[second] == seqs[second - 1] && seqs[second + 1] == seqs[second] + 1)
        #expect(seqs.last == 50)
    }

    @Test func `one whose second question for a replay fails while the first is answered goes on with the first`()
        throws
    {
        let embedded = EmbeddedHub { $0.maxQueuedBytes = 40_000 }
        let (socket, clog) = try joinSlowly(embedded)
        embedded.backend.goAway(true)
        try join(socket, since: 3)
        embedded.backend.goAway(false)
        clog.open()
        embedded.loop.run()
        embedded.publish("r")
        let frames = try socket.take()
        #expect(frames.filter { $0.contains(#""type":"error""#) }.count == 1)
        let seqs = frames.compactMap { $0.firstMatch(of: /"type":"message".*"seq":(\d+)/).flatMap { Int($0.1) } }
        #expect(seqs == Array(1...51))
    }

    @Test func `one that asks for a second replay goes on with the first until the second is answered, and not after`()
        throws
    {
        let embedded = EmbeddedHub { $0.maxQueuedBytes = 40_000 }
        let (socket, clog) = try joinSlowly(embedded)
        embedded.backend.hold(true)
        try join(socket, since: 48)
        // The first is caught up meanwhile, and live.
        clog.open()
        for _ in 1...50 {
            embedded.loop.run()
            embedded.backend.release(skipping: 1)
        }
        embedded.publish("r")
        embedded.backend.hold(false)
        embedded.backend.release()
        embedded.loop.run()
        embedded.publish("r")
        let frames = try socket.take()
        let seqs = frames.compactMap { $0.firstMatch(of: /"type":"message".*"seq":(\d+)/).flatMap { Int($0.1) } }
        #expect(seqs == Array(1...51) + Array(49...52))
    }

    @Test func `a member that leaves while it is being caught up gets no more, and leaves nothing behind`() throws {
        let embedded = EmbeddedHub { $0.maxQueuedBytes = 40_000 }
        let (socket, clog) = try joinSlowly(embedded)
        try socket.send(#"{"type":"leave","id":2,"roomId":"r"}"#)
        clog.open()
        embedded.loop.run()
        let frames = try socket.take()
        #expect(frames.last == #"{"type":"left","id":2,"roomId":"r"}"#)
        #expect(frames.count < 20)
        #expect(embedded.backend.calls.last == .unfollow(RoomName(unchecked: "r"), hub: 0))
    }

    @Test func `a member that asks for a replay gets it after joined, then goes on where the others are`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.limitPages(to: 2)
        let socket = try embedded.enter()
        try join(socket)
        for _ in 1...5 { embedded.publish("r") }
        #expect(try socket.takeMessages() == (1...5).map { "r \($0)" })
        try join(socket, since: 2)
        embedded.publish("r")
        #expect(try socket.takeMessages() == (3...6).map { "r \($0)" })
    }

    @Test func `what was lost, or renamed, while a joiner is being caught up is told where it happened`() throws {
        let embedded = EmbeddedHub { $0.maxQueuedBytes = 4000 }
        let payload = "\"" + String(repeating: "x", count: 1000) + "\""
        for _ in 1...6 { embedded.publish("r", payload) }
        let socket = try embedded.enter()
        let clog = Clog()
        try socket.channel.pipeline.syncOperations.addHandler(clog, position: .first)
        clog.close()
        try join(socket, since: 0)
        let room = RoomName(unchecked: "r")
        embedded.backend.forget(4, of: room)
        clog.letThrough()
        embedded.loop.run()
        embedded.backend.renew(room, epoch: "e2")
        embedded.backend.deliver([.epoch(room: room, position: Position(epoch: "e2", seq: 6))], to: 0)
        clog.open()
        embedded.loop.run()
        embedded.publish("r", "7")
        let marks = try socket.take().dropFirst().map { frame in
            let seq = frame.firstMatch(of: /"seq":(\d+)/).map { String($0.1) } ?? "-"
            return (frame.firstMatch(of: /"type":"(\w+)"/).map { String($0.1) } ?? "?") + " " + seq
        }
        #expect(
            marks == ["message 1", "gap 4", "message 5", "epoch 5", "message 6", "message 7"])
    }
}
