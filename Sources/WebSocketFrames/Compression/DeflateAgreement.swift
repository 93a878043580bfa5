/// The agreement of a server and one client on permessage-deflate (RFC 7692, section 7.1).
///
/// Neither side takes a window over from one message to the next: so nothing is kept for a connection between messages,
/// and a message is compressed once for all who agreed on the same window.
package struct DeflateAgreement: Hashable, Sendable {
    /// The exponents of the windows that zlib can compress raw deflate with; 8 is not among them.
    package static let possibleWindowBits = 9...15

    /// The window of what the server sends is 2 to the power of this, in bytes.
    package let windowBits: Int
    /// Whether the client asked for a limit, so that the answer must repeat it.
    private let isWindowLimited: Bool

    /// The offers cannot be read: the handshake fails (RFC 6455, section 9.1).
    package struct MalformedOffers: Error {}

    /// The first of a client's offers that can be met, in the client's order; nil where none can.
    ///
    /// - Parameters:
    ///   - lines: the values of all `Sec-WebSocket-Extensions` headers.
    ///   - windowBits: the windows that the server is willing to compress with. The largest is taken, unless the client
    ///     asks for a smaller one that is among them; an offer that asks for one below them is declined.
    package static func answering(
        _ lines: some Sequence<String>, windowBits: ClosedRange<Int> = possibleWindowBits
    ) throws(MalformedOffers) -> DeflateAgreement? {
        guard let offers = ExtensionOffer.list(lines) else { throw MalformedOffers() }
        for offer in offers {
            if let agreement = DeflateAgreement(offer, windowBits: windowBits) { return agreement }
        }
        return nil
    }

    /// The value of `Sec-WebSocket-Extensions` in the server's answer.
    package var response: String {
        let windows = isWindowLimited ? "; server_max_window_bits=\(windowBits)" : ""
        return "permessage-deflate; server_no_context_takeover; client_no_context_takeover" + windows
    }

    /// Nil where the offer must be declined: a parameter unknown, given twice, or with a value that it cannot have.
    private init?(_ offer: ExtensionOffer, windowBits: ClosedRange<Int>) {
        guard offer.name.lowercased() == "permessage-deflate" else { return nil }
        var seen: Set<String> = []
        var limit: Int?
        for parameter in offer.parameters {
            let name = parameter.name.lowercased()
            guard seen.insert(name).inserted else { return nil }
            switch name {
            case "server_no_context_takeover", "client_no_context_takeover":
                guard parameter.value == nil else { return nil }
            case "server_max_window_bits":
                guard let bits = parameter.value.flatMap(DeflateAgreement.bits) else { return nil }
                limit = bits
            case "client_max_window_bits":
                // A window of any size can be read, so that the client need not be held to what it could do.
                guard parameter.value.map({ DeflateAgreement.bits($0) != nil }) ?? true else { return nil }
            default: return nil
            }
        }
        guard (limit ?? 15) >= windowBits.lowerBound else { return nil }
        self.windowBits = min(limit ?? 15, windowBits.upperBound)
        isWindowLimited = limit != nil
    }

    /// A decimal number from 8 to 15 without leading zeros (RFC 7692, section 7.1.2).
    private static func bits(_ text: String) -> Int? {
        guard let bits = Int(text), (8...15).contains(bits), String(bits) == text else { return nil }
        return bits
    }
}
