import GatewayCore
import NIOCore
import Testing

/// The answer to a handshake leaves with the first frame, or by itself where that is long in coming.
@Suite
struct HandshakeAnswerTests {
    private func ask(_ embedded: EmbeddedHub, _ target: String) throws -> EmbeddedSocket {
        let socket = try embedded.accept()
        try socket.channel.writeInbound(ByteBuffer(string: TestClient.request(target)))
        embedded.loop.run()
        return socket
    }

    @Test func `a client that is registered at once gets the answer and its welcome in one turn`() throws {
        let embedded = EmbeddedHub()
        let socket = try ask(embedded, "/ws?userId=alice")
        #expect(try #require(socket.takeHead()).hasPrefix("HTTP/1.1 101 "))
        #expect(try socket.take().map { $0.contains(#""type":"welcome""#) } == [true])
    }

    @Test func `a client that waits for its registration hears at the next tick that it was let in`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.holdRegistrations()
        let socket = try ask(embedded, "/ws?userId=alice")
        #expect(socket.takeHead() == nil)
        embedded.advance(.milliseconds(500))
        #expect(try #require(socket.takeHead()).hasPrefix("HTTP/1.1 101 "))
        #expect(try socket.takeReplies().isEmpty)
    }

    @Test func `so does one whose deadline lies beyond the next heartbeat`() throws {
        let embedded = EmbeddedHub { $0.heartbeatInterval = .seconds(2) }
        embedded.backend.goAway(true)
        let socket = try ask(embedded, "/ws?userId=alice")
        embedded.advance(.milliseconds(100))
        #expect(try #require(socket.takeHead()).hasPrefix("HTTP/1.1 101 "))
    }

    @Test func `a client that has to show a token first hears of it at once`() throws {
        let embedded = EmbeddedHub { $0.authentication = .jwt(TableVerifier([:])) }
        embedded.backend.holdRegistrations()
        let socket = try ask(embedded, "/ws")
        #expect(try #require(socket.takeHead()).hasPrefix("HTTP/1.1 101 "))
    }
}
