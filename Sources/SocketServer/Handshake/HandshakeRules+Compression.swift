import NIOHTTP1
import WebSocketFrames

extension HandshakeRules {
    /// What a client's offers to compress come to: nil where that is off here, or none of them can be met.
    ///
    /// A message is compressed once for all members of a room, so in one window; the echo's are its client's alone.
    func compression(
        _ headers: HTTPHeaders, isEcho: Bool
    ) throws(DeflateAgreement.MalformedOffers) -> DeflateAgreement? {
        guard isCompressing else { return nil }
        return try DeflateAgreement.answering(
            headers["sec-websocket-extensions"],
            windowBits: isEcho ? DeflateAgreement.possibleWindowBits : FrameCompressor.sharedWindowBits)
    }
}
