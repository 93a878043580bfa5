/// The reason why a peer's bytes are refused, with the close code that tells it so (RFC 6455, sections 5, 7.4.1
/// and 8.1).
package enum FrameError: Error, Hashable, Sendable, CaseIterable {
    /// RSV1, RSV2 or RSV3 is set where nothing that was agreed on allows it.
    case reservedBit
    /// Opcodes 3 to 7 and 11 to 15.
    case reservedOpcode
    /// A close, ping or pong without FIN.
    case fragmentedControl
    /// A close, ping or pong of more than 125 bytes.
    case oversizedControl
    /// A client's frame without a mask.
    case unmasked
    /// A server's frame with a mask.
    case masked
    /// A length told in more bytes than it needs.
    case nonMinimalLength
    /// A length of 2^63 or more.
    case lengthOverflow
    /// A message, over all its fragments, beyond the limit.
    case messageTooLarge
    /// A message in more pieces than its size can call for.
    case tooManyFragments
    /// A continuation with no message to continue.
    case unexpectedContinuation
    /// A new message before the last fragment of the one under way.
    case interruptedMessage
    /// Text, or the reason of a close, that is not UTF-8.
    case notUTF8
    /// A compressed message that is not deflate, or ends in the middle of a block.
    case damagedCompression
    /// A close whose payload is one byte.
    case truncatedCloseCode
    /// A close code that no frame may carry.
    case invalidCloseCode

    /// The code to close the connection with.
    package var closeCode: UInt16 {
        switch self {
        case .notUTF8, .damagedCompression: CloseCode.invalidPayload
        case .messageTooLarge, .tooManyFragments: CloseCode.messageTooBig
        case .reservedBit, .reservedOpcode, .fragmentedControl, .oversizedControl, .unmasked, .masked,
            .nonMinimalLength, .lengthOverflow, .unexpectedContinuation, .interruptedMessage, .truncatedCloseCode,
            .invalidCloseCode:
            CloseCode.protocolError
        }
    }

    /// What to tell the peer: short enough for a close frame, and free of anything that it sent.
    package var reason: String {
        switch self {
        case .reservedBit: "reserved bit set"
        case .reservedOpcode: "reserved opcode"
        case .fragmentedControl: "fragmented control frame"
        case .oversizedControl: "control frame longer than 125 bytes"
        case .unmasked: "client frame without a mask"
        case .masked: "server frame with a mask"
        case .nonMinimalLength: "length not in its shortest form"
        case .lengthOverflow: "length of 2^63 or more"
        case .messageTooLarge: "message too large"
        case .tooManyFragments: "message in too many fragments"
        case .unexpectedContinuation: "continuation without a message"
        case .interruptedMessage: "new message inside a fragmented one"
        case .notUTF8: "not UTF-8"
        case .damagedCompression: "compressed message cannot be read"
        case .truncatedCloseCode: "close code of one byte"
        case .invalidCloseCode: "invalid close code"
        }
    }
}
