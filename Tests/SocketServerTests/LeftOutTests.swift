import GatewayCore
import SocketServer
import Testing

@Suite("Who is left out, and what is not stored")
struct LeftOutTests {
    private func join(_ socket: EmbeddedSocket, since seq: Int? = nil) throws {
        let since = seq.map { #","since":{"seq":\#($0)}"# } ?? ""
        try socket.send(#"{"type":"join","roomId":"r"\#(since)}"#)
    }

    private func kinds(_ frames: [String]) -> [String] {
        frames.map { $0.contains(#""type":"seen""#) ? "seen" : $0.contains(#""type":"ack""#) ? "ack" : "message" }
    }

    @Test func `a sender that wants no echo learns only that nothing is missing`() throws {
        let embedded = EmbeddedHub()
        let one = try embedded.enter("one")
        let two = try embedded.enter("two")
        try join(one)
        try join(two)
        embedded.loop.run()
        _ = (try one.take(), try two.take())
        embedded.publish("r")
        try one.send(#"{"type":"message","roomId":"r","payload":2,"echo":false}"#)
        embedded.loop.run()
        embedded.publish("r")
        let (sender, other) = (try one.take(), try two.take())
        let told = kinds(sender.filter { !$0.contains(#""type":"presence""#) })
        #expect(told.filter { $0 != "ack" } == ["message", "seen", "message"])
        #expect(sender.contains(#"{"type":"seen","roomId":"r","seq":2}"#))
        #expect(kinds(other.filter { !$0.contains(#""type":"presence""#) }) == ["message", "message", "message"])
    }

    @Test func `who catches up is not sent what left it out, and others are`() throws {
        let embedded = EmbeddedHub()
        let one = try embedded.enter("one")
        try join(one)
        _ = try one.take()
        try one.send(#"{"type":"message","roomId":"r","payload":1,"echo":false}"#)
        embedded.loop.run()
        _ = try one.take()
        try join(one, since: 0)
        embedded.loop.run()
        #expect(try one.take().contains(#"{"type":"seen","roomId":"r","seq":1}"#))
        let two = try embedded.enter("two")
        try join(two, since: 0)
        embedded.loop.run()
        #expect(try two.take().contains { $0.contains(#""type":"message""#) && $0.contains(#""seq":1"#) })
    }

    @Test func `what is volatile reaches who is there, once, and is in no log`() throws {
        let embedded = EmbeddedHub()
        let one = try embedded.enter("one")
        let two = try embedded.enter("two")
        try join(one)
        try join(two)
        embedded.loop.run()
        _ = (try one.take(), try two.take())
        try one.send(
            #"{"type":"message","id":1,"roomId":"r","event":"typing","payload":{},"echo":false,"volatile":true}"#)
        embedded.loop.run()
        #expect(try one.take() == [#"{"type":"ack","id":1,"roomId":"r","timestamp":1000}"#])
        #expect(
            try two.take() == [
                #"{"type":"message","roomId":"r","userId":"one","msgType":1,"event":"typing","payload":{},"timestamp":1000,"#
                    + #""volatile":true}"#
            ])
        #expect(embedded.backend.head(of: RoomName(unchecked: "r")) == 0)
        try join(two, since: 0)
        embedded.loop.run()
        #expect(try two.take().allSatisfy { !$0.contains("typing") })
    }
}
