public import NIOSSL

extension MartletClient {
    /// The credentials by which a client says who it is.
    public enum Credentials: Sendable {
        /// For `auth.mode: none`.
        case user(String)
        /// As a guest, where the gateway's `auth.guests` is on.
        case guest
        /// Asked before each connection, after a refusal, and a minute before the token's `exp`, when the living
        /// connection is shown the new one. A refused token, or an error, is tried again later, ever more seldom; the
        /// event `error` tells of the latter. Nil or an empty text ends the client.
        case token(@Sendable () async throws -> String?)
    }

    /// The configuration of a client: the gateway, the credentials, and how patient it is.
    public struct Configuration: Sendable {
        /// `ws://host:port/ws` or `wss://…`.
        public var url: String
        /// Other gateways of the same deployment, tried in turn after `url` as connections end or fail.
        public var otherURLs: [String] = []
        /// Who it is.
        public var credentials: Credentials
        /// Sent with the handshake, such as `Origin`.
        public var headers: [(name: String, value: String)] = []
        /// How long a request waits for its reply.
        public var requestTimeout: Duration = .seconds(10)
        /// How long a message may take to be stored, over as many connections as it needs; 100 s at most.
        public var publishTimeout: Duration = .seconds(60)
        /// For TCP, TLS and the handshake together; and again for the gateway's welcome.
        public var connectTimeout: Duration = .seconds(10)
        /// The bound of the first delay before a reconnect; it doubles with each failure. All delays are random below it.
        public var firstDelay: Duration = .seconds(1)
        /// The bound of any such delay.
        public var maxDelay: Duration = .seconds(10)
        /// How many `events` wait for a slow reader before the client stops reading from its socket.
        public var eventLimit = 1024
        /// How many messages, or changes of presence, of a room wait for one reader before it is told a `gap`.
        public var readerLimit = 1024
        /// How many requests may wait for their replies at once; one more fails.
        public var maxPendingRequests = 1024
        /// How much of messages may wait to be stored; what does not fit fails.
        public var maxPendingBytes = 4 << 20
        /// On Apple's systems: whether to connect anew at once when another network is used, or one is there again, and when
        /// the app comes back to the screen.
        public var followsNetwork = true
        /// For `wss`.
        public var tls: TLSConfiguration = .makeClientConfiguration()

        /// Everything but address and user has a default that works.
        public init(url: String, credentials: Credentials) {
            self.url = url
            self.credentials = credentials
        }
    }
}
