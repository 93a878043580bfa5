import GatewayCore
import NIOCore
import NIOEmbedded
import SocketServer
import Testing
import WebSocketFrames

@Suite
struct HeartbeatTests {
    @Test func `a silent client is pinged three times and closed after three to four intervals`() throws {
        let embedded = EmbeddedHub { $0.heartbeatInterval = .seconds(10) }
        let socket = try embedded.enter()
        embedded.advance(.milliseconds(29_900))
        let early = try socket.take()
        #expect((2...3).contains(early.count) && early.allSatisfy { $0 == "ping" })
        embedded.advance(.milliseconds(10_200))
        let late = try socket.take()
        #expect(early.count + late.count == 4)
        #expect(late.last == "close 4408")
    }

    @Test(arguments: [true, false])
    func `any frame keeps a client alive`(isPong: Bool) throws {
        let embedded = EmbeddedHub { $0.heartbeatInterval = .seconds(10) }
        let socket = try embedded.enter()
        for _ in 1...8 {
            embedded.advance(.seconds(10))
            if isPong { try socket.pong() } else { try socket.send(#"{"type":"ping"}"#) }
        }
        let frames = try socket.take()
        #expect(frames.count(where: { $0 == "ping" }) == 8)
        #expect(!frames.contains("close 4408"))
    }

    @Test func `two unanswered pings and an answer begin the count anew`() throws {
        let embedded = EmbeddedHub { $0.heartbeatInterval = .seconds(10) }
        let socket = try embedded.enter()
        for _ in 1...5 {
            embedded.advance(.seconds(20))
            try socket.pong()
        }
        #expect(try !socket.take().contains("close 4408"))
    }

    @Test func `the pings of many connections are spread over the interval`() throws {
        let embedded = EmbeddedHub { $0.heartbeatInterval = .seconds(64) }
        let sockets = try (0..<128).map { try embedded.enter("u\($0)") }
        var counts: [Int] = []
        for _ in 0..<64 {
            embedded.advance(.seconds(1))
            counts.append(try sockets.reduce(0) { $0 + (try $1.take().count) })
        }
        #expect(counts.reduce(0, +) == 128)
        #expect((counts.max() ?? 0) <= 4)
    }

    @Test func `a client that does not answer the close is cut after the time for it`() throws {
        let embedded = EmbeddedHub { $0.closeTimeout = .seconds(3) }
        let socket = try embedded.enter()
        var frame = ByteBuffer()
        FrameEncoder.binary(ByteBuffer(string: "x"), mask: 1, into: &frame)
        try socket.send(frame)
        #expect(try socket.take() == ["close 1003"])
        #expect(socket.channel.isActive)
        embedded.advance(.milliseconds(2_900))
        #expect(socket.channel.isActive)
        embedded.advance(.milliseconds(700))
        #expect(!socket.channel.isActive)
        #expect(embedded.dependencies.census.status.connections == 0)
    }

    @Test func `no token in time is 4401, half a handshake is cut without a word`() throws {
        let embedded = EmbeddedHub { $0.authentication = .jwt(NeverVerifier()) }
        let stranger = try embedded.upgrade("/ws")
        let half = try embedded.accept()
        try half.channel.writeInbound(ByteBuffer(string: "GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: "))
        embedded.advance(.milliseconds(4_900))
        #expect(half.channel.isActive)
        try half.channel.writeInbound(ByteBuffer(string: "y"))
        embedded.advance(.milliseconds(700))
        #expect(!half.channel.isActive)
        #expect(half.takeHead() == nil)
        embedded.advance(.milliseconds(4_900))
        #expect(try stranger.takeReplies() == ["close 4401"])
    }

    private struct NeverVerifier: TokenVerifier {
        func verify(_ token: String) async throws(TokenError) -> Identity { throw TokenError("never") }
    }
}
