import NIOHTTP1
import WebSocketFrames

/// A file of the browser's client library, for pages of any origin: it holds nothing secret.
struct ClientFile: Sendable {
    let contentType: String
    let bytes: [UInt8]
    /// The bytes as gzip has them.
    let compressed: [UInt8]?
    /// An entity tag (RFC 9110, section 8.8.3): another one with every other content.
    private let tag: String

    init(_ contentType: String, _ bytes: [UInt8]) {
        self.contentType = "\(contentType); charset=utf-8"
        self.bytes = bytes
        compressed = bytes.gzipped()
        tag = SHA1.digest(bytes).prefix(8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// What a GET is answered; whoever has these bytes already is told just that.
    /// - Parameter caching: how long, and how, it may be kept on the way.
    func reply(to request: HTTPHeaders, caching: String) -> HandshakeVerdict.Reply {
        let isCompressed = compressed != nil && request.acceptGzip
        // Of the same content in another encoding the tag is another one.
        let plain = "\"\(tag)\""
        let gzip = "\"\(tag)-gzip\""
        let known = request[canonicalForm: "if-none-match"].map { $0.hasPrefix("W/") ? $0.dropFirst(2) : $0 }
        let isKnown = known.contains { $0 == "*" || $0 == plain || $0 == gzip }
        var headers = [
            (name: "Access-Control-Allow-Origin", value: "*"), (name: "Cache-Control", value: caching),
            (name: "Cross-Origin-Resource-Policy", value: "cross-origin"),
            (name: "ETag", value: isCompressed ? gzip : plain), (name: "Vary", value: "Accept-Encoding"),
            (name: "X-Content-Type-Options", value: "nosniff"),
        ]
        if isCompressed, !isKnown { headers.append((name: "Content-Encoding", value: "gzip")) }
        var reply = HandshakeVerdict.Reply(status: isKnown ? .notModified : .ok, headers: headers, body: "")
        reply.contentType = contentType
        reply.bytes = isCompressed ? compressed : bytes
        reply.withholdsBody = isKnown
        return reply
    }
}

extension HTTPHeaders {
    /// Whether gzip is among the encodings that are taken (RFC 9110, section 12.5.3).
    fileprivate var acceptGzip: Bool {
        let offers = self[canonicalForm: "accept-encoding"].map { offer in
            offer.lowercased().filter { $0 != " " && $0 != "\t" }.split(separator: ";")
        }
        let offer = offers.first { $0.first == "gzip" } ?? offers.first { $0.first == "*" }
        guard let offer else { return false }
        // A weight of nothing is a refusal.
        return !offer.contains { $0.hasPrefix("q=") && $0.dropFirst(2).allSatisfy { $0 == "0" || $0 == "." } }
    }
}
