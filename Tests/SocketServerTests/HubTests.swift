import GatewayCore
import NIOCore
import NIOEmbedded
import Testing

@Suite
struct HubTests {
    private let room = RoomName(unchecked: "r")

    private func join(_ socket: EmbeddedSocket, _ room: String = "r") throws {
        try socket.send(#"{"type":"join","id":1,"roomId":"\#(room)"}"#)
    }

    @Test func `a member gets what comes after its join, each message once, in order`() throws {
        let embedded = EmbeddedHub()
        let early = try embedded.enter("early")
        try join(early)
        for _ in 1...3 { embedded.publish("r") }
        let late = try embedded.enter("late")
        try join(late)
        for _ in 4...5 { embedded.publish("r") }
        #expect(try early.takeMessages() == ["r 1", "r 2", "r 3", "r 4", "r 5"])
        #expect(try late.takeMessages() == ["r 4", "r 5"])
    }

    @Test func `what a joiner missed comes after joined, to it alone, and before what is live`() throws {
        let embedded = EmbeddedHub()
        let member = try embedded.enter("member")
        try join(member)
        let joiner = try embedded.enter("joiner")
        embedded.backend.hold(true)
        try join(joiner)
        _ = try member.take()
        _ = try joiner.take()
        let ticket = embedded.backend.lastTicket
        func message(_ seq: Int) -> RoomMessage {
            RoomMessage(
                room: room, userId: .system, msgType: 1, payload: [0x31], timestamp: 0,
                position: Position(epoch: "e1", seq: seq))
        }
        embedded.backend.deliver(
            [
                .messages(room: room, messages: [message(6), message(7)]),
                .following(
                    ticket: ticket, room: room,
                    start: StreamStart(
                        position: Position(epoch: "e1", seq: 7), missed: [message(6), message(7)], timestamp: 0)),
                .messages(room: room, messages: [message(8)]),
            ], to: 0)
        embedded.loop.run()
        #expect(try member.takeMessages() == ["r 6", "r 7", "r 8"])
        let atJoiner = try joiner.take()
        #expect(atJoiner.first == #"{"type":"joined","id":1,"roomId":"r","epoch":"e1","seq":7,"recovered":true}"#)
        #expect(atJoiner.count == 4)
    }

    @Test func `the stream of a room is let go exactly when its last listener, live or waiting, has gone`() throws {
        let embedded = EmbeddedHub()
        let one = try embedded.enter("one")
        let two = try embedded.enter("two")
        try join(one)
        embedded.backend.hold(true)
        try join(two)
        try one.send(#"{"type":"leave","roomId":"r"}"#)
        #expect(!embedded.backend.calls.contains(.unfollow(room, hub: 0)))
        try two.channel.close().wait()
        #expect(embedded.backend.calls.contains(.unfollow(room, hub: 0)))
        embedded.backend.hold(false)
        embedded.backend.release()
        embedded.loop.run()
        embedded.publish("r")
        #expect(try one.takeMessages() == [])
        #expect(embedded.dependencies.census.status.rooms == 0)
    }

    @Test func `a room joined again while the old answer is still on its way begins with the new answer`() throws {
        let embedded = EmbeddedHub()
        let socket = try embedded.enter()
        let other = try embedded.enter("other")
        embedded.backend.hold(true)
        try join(other)
        try other.channel.close().wait()
        try join(socket)
        embedded.backend.release()
        embedded.loop.run()
        embedded.publish("r")
        #expect(try socket.take().count == 2)
    }

    @Test func `a failed join leaves no listener behind`() throws {
        let embedded = EmbeddedHub()
        let socket = try embedded.enter()
        embedded.backend.goAway(true)
        try join(socket)
        #expect(try socket.take().first?.contains(#""code":"unavailable""#) == true)
        #expect(embedded.dependencies.census.status.rooms == 0)
        embedded.backend.goAway(false)
        try join(socket)
        #expect(try socket.take().first?.contains(#""type":"joined""#) == true)
    }

    @Test func `without a backend handshakes are taken and wait; on its return they are welcomed`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.goAway(true)
        let socket = try embedded.upgrade("/ws?userId=alice")
        embedded.advance(.seconds(5))
        #expect(try socket.takeReplies() == [])
        embedded.backend.goAway(false)
        embedded.advance(.seconds(1))
        #expect(try socket.takeReplies().first?.contains(#""type":"welcome""#) == true)
    }

    @Test func `a backend that stays away is told by 4503 when the time to wait is over`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.goAway(true)
        let socket = try embedded.upgrade("/ws?userId=alice")
        embedded.advance(.seconds(11))
        #expect(try socket.takeReplies() == ["close 4503"])
    }

    @Test func `joining again tells the position up to which everything has been sent`() throws {
        let embedded = EmbeddedHub()
        let socket = try embedded.enter()
        try join(socket)
        _ = try socket.take()
        embedded.publish("r")
        embedded.publish("r")
        try socket.send(#"{"type":"join","id":2,"roomId":"r"}"#)
        let frames = try socket.take()
        #expect(frames.count == 3)
        let standing = #""epoch":"e1","seq":2,"recovered":true,"members":1,"rosterVersion":1}"#
        #expect(frames.last == #"{"type":"joined","id":2,"roomId":"r","# + standing)
        try socket.send(#"{"type":"join","id":3,"roomId":"*"}"#)
        #expect(
            try socket.take() == [#"{"type":"joined","id":3,"roomId":"*","epoch":"e1","seq":0,"recovered":true}"#])
    }

    @Test func `gap and epoch reach the members behind what came before`() throws {
        let embedded = EmbeddedHub()
        let socket = try embedded.enter()
        try join(socket)
        _ = try socket.take()
        let message = RoomMessage(
            room: room, userId: .system, msgType: 1, payload: [0x31], timestamp: 0,
            position: Position(epoch: "e1", seq: 1))
        embedded.backend.deliver(
            [
                .messages(room: room, messages: [message]),
                .gap(room: room, position: Position(epoch: "e2", seq: 9)),
                .epoch(room: room, position: Position(epoch: "e3", seq: 9)),
            ], to: 0)
        embedded.loop.run()
        let frames = try socket.take()
        #expect(frames.count == 3)
        #expect(frames[1] == #"{"type":"gap","roomId":"r","epoch":"e2","seq":9}"#)
        #expect(frames[2] == #"{"type":"epoch","roomId":"r","epoch":"e3","seq":9}"#)
    }

    @Test func `everyone's room reaches every connection, from welcome on`() throws {
        let embedded = EmbeddedHub()
        embedded.publish("*")
        let one = try embedded.upgrade("/ws?userId=one")
        #expect(try one.take().first?.contains(#""*":{"epoch":"e1","seq":1}}"#) == true)
        embedded.publish("*")
        #expect(try one.takeMessages() == ["* 2"])
    }

    @Test func `messages that come in one turn go out in one buffer and one flush for each member`() throws {
        let embedded = EmbeddedHub()
        let socket = try embedded.enter()
        try join(socket)
        _ = try socket.take()
        let counter = WriteCounter()
        try socket.channel.pipeline.syncOperations.addHandler(counter, position: .first)
        for _ in 1...16 {
            embedded.backend.publish(Publication(room: room, userId: .system, payload: [0x31])) { _ in }
        }
        embedded.loop.run()
        #expect(counter.writes == 1)
        #expect(counter.flushes == 1)
        #expect(try socket.takeMessages().count == 16)
    }

    @Test func `a loop that falls too far behind gives its members a gap in place of what it gave up`() throws {
        let embedded = EmbeddedHub()
        let socket = try embedded.enter()
        try join(socket)
        _ = try socket.take()
        let payload = Array(repeating: UInt8(ascii: "1"), count: 60_000)
        for seq in 1...1200 {
            let message = RoomMessage(
                room: room, userId: .system, msgType: 1, payload: payload, timestamp: 0,
                position: Position(epoch: "e1", seq: seq))
            embedded.backend.deliver([.messages(room: room, messages: [message])], to: 0)
        }
        embedded.loop.run()
        let frames = try socket.take()
        #expect(frames.first?.hasPrefix(#"{"type":"gap","roomId":"r","epoch":"e1","seq":11"#) == true)
        #expect(frames.count < 200)
        #expect(frames.last?.hasSuffix(#""seq":1200}"#) == true)
    }

    private final class WriteCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        var writes = 0
        var flushes = 0

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            writes += 1
            context.write(data, promise: promise)
        }

        func flush(context: ChannelHandlerContext) {
            flushes += 1
            context.flush()
        }
    }
}
