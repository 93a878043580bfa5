import NIOCore
import NIOSSL

/// The destination of a WebSocket and its settings.
package struct WebSocketConfiguration: Sendable {
    package var host: String
    package var port: Int
    /// With the query.
    package var path: String
    /// Beside those of the handshake itself.
    package var headers: [(name: String, value: String)] = []
    package var subprotocols: [String] = []
    /// Nil is plain TCP.
    package var tls: TLSConfiguration?
    /// For TCP, TLS and the handshake together.
    package var connectTimeout: TimeAmount = .seconds(10)
    /// Of one message, over all its fragments.
    package var maxMessageBytes = 16 << 20
    package var answersPings = true
    /// How many events wait for `next()` before reading pauses; what one read from the socket brought may come on top.
    package var eventLimit = 1024
    /// How long the peer has for its close frame.
    package var closeTimeout: TimeAmount = .seconds(5)

    package init(host: String, port: Int, path: String) {
        self.host = host
        self.port = port
        self.path = path
    }
}
