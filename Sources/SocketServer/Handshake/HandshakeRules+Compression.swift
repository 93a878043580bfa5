import NIOHTTP1
import WebSocketFrames

extension HandshakeRules {
    /// What a client's offers to compress come to: nil where that is off here, or none of them can be met.
    func compression(_ head: HTTPRequestHead) throws(DeflateAgreement.MalformedOffers) -> DeflateAgreement? {
        guard isCompressing else { return nil }
        return try DeflateAgreement.answering(head.headers["sec-websocket-extensions"])
    }
}
