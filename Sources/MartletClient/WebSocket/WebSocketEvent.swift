import NIOCore

/// An event of a WebSocket, in the order in which its peer caused them.
package enum WebSocketEvent: Sendable {
    case text(ByteBuffer)
    case binary(ByteBuffer)
    /// Answered already, unless the connection was told not to.
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// The last event, always.
    case ended(WebSocketEnd)
}

/// The close code and reason with which a WebSocket ended.
package struct WebSocketEnd: Hashable, Sendable {
    /// The peer's close code, or the one it was closed with for breaking the protocol; nil where the connection just ended.
    package var code: UInt16?
    package var reason: String

    package init(code: UInt16?, reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// A reason why no WebSocket came about.
package enum WebSocketConnectError: Error, Hashable, Sendable {
    case unreachable(String)
    /// The peer answered with another status than 101; the header is in seconds.
    case refused(status: Int, retryAfter: Int?)
    /// The peer said 101 and something that does not go with it (RFC 6455, section 4.1).
    case badHandshake(String)
    case timedOut
}
