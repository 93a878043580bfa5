import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer
import Testing

/// Pages of history that are asked for faster than they are read.
@Suite
struct PageTests {
    @Test func `all pages that a client may ask for at once take half of what may wait for it, and one more waits`()
        throws
    {
        let embedded = EmbeddedHub { $0.maxQueuedBytes = 100_000 }
        let payload = "\"" + String(repeating: "x", count: 500) + "\""
        for _ in 1...200 { embedded.publish("r", payload) }
        let socket = try embedded.enter()
        try socket.send(#"{"type":"join","roomId":"r"}"#)
        _ = try socket.take()
        let clog = Clog()
        try socket.channel.pipeline.syncOperations.addHandler(clog, position: .first)
        clog.close()
        func ask(_ id: Int) throws {
            try socket.send(#"{"type":"history","id":\#(id),"roomId":"r","limit":1000}"#)
        }
        for id in 1...4 { try ask(id) }
        #expect(clog.waitingBytes > 25_000)
        #expect(clog.waitingBytes <= 50_000)
        try ask(5)
        clog.letThrough()
        embedded.loop.run()
        let frames = try socket.take()
        #expect(frames.prefix(4).allSatisfy { $0.hasPrefix(#"{"type":"history""#) && $0.hasSuffix(#""more":true}"#) })
        clog.open()
        embedded.loop.run()
        let late = frames.dropFirst(4) + (try socket.take())
        #expect(late.count == 1)
        #expect(late.first?.hasPrefix(#"{"type":"history","id":5"#) == true)
    }
}
