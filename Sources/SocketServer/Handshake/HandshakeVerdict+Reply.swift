import NIOHTTP1

extension HandshakeVerdict {
    /// An answer after which the connection ends.
    struct Reply {
        var status: HTTPResponseStatus
        var headers: [(name: String, value: String)] = []
        var body: String
        /// Nil where nothing was refused.
        var refusal: SocketMetrics.Refusal?
        var contentType = "text/plain; charset=utf-8"
        /// In place of `body`.
        var bytes: [UInt8]?
        /// Only the headers are sent: a HEAD's answer, or a 304.
        var withholdsBody = false

        static func malformed(_ text: String) -> Reply {
            Reply(status: .badRequest, body: text, refusal: .malformed)
        }

        static let unreadable = malformed("the request cannot be read")
        static let headersTooLong = Reply(
            status: .requestHeaderFieldsTooLarge,
            body: "the headers are too long; a long token can come as the first frame, auth, in their place",
            refusal: .malformed)
        /// Pages of other origins may read it: their client tells a wrong path by it.
        static let notFound = Reply(
            status: .notFound, headers: [("Access-Control-Allow-Origin", "*")], body: "not found", refusal: .path)
        static let methodNotAllowed = Reply(
            status: .methodNotAllowed, headers: [(name: "Allow", value: "GET, HEAD")], body: "only GET and HEAD",
            refusal: .malformed)
        static let misdirected = Reply(
            status: .misdirectedRequest,
            body: """
                this port serves its own machine: ask for 127.0.0.1 or localhost, or name the host in client.origins
                """,
            refusal: .misdirected)
        static let foreignOrigin = Reply(status: .forbidden, body: "this origin is not let in", refusal: .origin)
        static let expectationFailed = Reply(
            status: .expectationFailed, body: "only 100-continue can be met", refusal: .malformed)
        static let banned = Reply(status: .forbidden, body: "this address is banned", refusal: .banned)

        /// Not to be tried at another node: it would be one too many there as well.
        static let tooManyOfAddress = Reply(
            status: .tooManyRequests, headers: [("Retry-After", "10")], body: "this address has too many connections",
            refusal: .address)

        /// To be tried at another node.
        static func unavailable(_ refusal: SocketMetrics.Refusal) -> Reply {
            Reply(
                status: .serviceUnavailable, headers: [("Retry-After", "2")],
                body: "this node takes no more connections just now", refusal: refusal)
        }

        /// RFC 6455, section 4.4, and RFC 9110, section 15.5.22.
        static func upgradeRequired(_ text: String) -> Reply {
            Reply(
                status: .upgradeRequired, headers: [("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")],
                body: text, refusal: .version)
        }
    }
}
