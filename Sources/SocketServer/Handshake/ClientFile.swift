import NIOHTTP1
import WebSocketFrames

/// A file of the browser's client library, for pages of any origin: it holds nothing secret.
struct ClientFile: Sendable {
    let contentType: String
    let bytes: [UInt8]
    /// An entity tag (RFC 9110, section 8.8.3): another one with every other content.
    let tag: String

    private static let module = ClientFile("text/javascript", PackageResources.martlet_js)
    private static let types = ClientFile("text/plain", PackageResources.martlet_d_ts)

    private init(_ contentType: String, _ bytes: [UInt8]) {
        self.contentType = "\(contentType); charset=utf-8"
        self.bytes = bytes
        tag =
            "\"" + SHA1.digest(bytes).prefix(8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            + "\""
    }

    /// Nil for every other path.
    static func at(_ path: Substring) -> ClientFile? {
        switch path {
        case "/martlet.js": module
        case "/martlet.d.ts": types
        default: nil
        }
    }

    /// What a GET is answered; whoever has these bytes already is told just that.
    func reply(to request: HTTPHeaders) -> HandshakeVerdict.Reply {
        let known = request[canonicalForm: "if-none-match"]
        let isKnown = known.contains { $0 == "*" || $0 == tag || $0 == "W/" + tag }
        let headers = [
            (name: "Access-Control-Allow-Origin", value: "*"), (name: "Cache-Control", value: "public, max-age=300"),
            (name: "Cross-Origin-Resource-Policy", value: "cross-origin"), (name: "ETag", value: tag),
            (name: "X-Content-Type-Options", value: "nosniff"),
        ]
        var reply = HandshakeVerdict.Reply(status: isKnown ? .notModified : .ok, headers: headers, body: "")
        reply.file = self
        reply.withholdsBody = isKnown
        return reply
    }
}
