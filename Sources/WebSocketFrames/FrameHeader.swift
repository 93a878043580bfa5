/// The front of a frame: two to fourteen bytes before the payload (RFC 6455, section 5.2).
struct FrameHeader {
    let opcode: Opcode
    let isFinal: Bool
    /// Whether the message that begins here is compressed (RFC 7692, section 6).
    let isCompressed: Bool
    let payloadBytes: Int
    /// Nil on an unmasked frame.
    let key: MaskingKey?
    /// The size of the header itself.
    let headerBytes: Int

    /// The result of reading the first bytes of a frame.
    enum Reading {
        /// Cannot go on before this many bytes, counted from the frame's first, are there. For a control frame that is
        /// at last the whole of it.
        case incomplete(neededBytes: Int)
        case malformed(FrameError)
        case complete(FrameHeader)
    }

    /// The state that decides whether a frame may come now.
    struct Expectation {
        let isMasked: Bool
        /// Whether fragments of a message have come and its last has not.
        let isInsideMessage: Bool
        /// Whether a message may be compressed.
        let takesCompressed: Bool
        /// What the message may still grow by.
        let payloadLimit: Int
        /// The same for a message that is compressed, as it comes.
        let compressedLimit: Int
    }

    /// Reads as far as `bytes` go and refuses at the earliest byte that allows it, so that neither a length out of
    /// bounds nor a stray bit is waited upon.
    static func read(_ bytes: UnsafeRawBufferPointer, expecting expectation: Expectation) -> Reading {
        guard bytes.count >= 1 else { return .incomplete(neededBytes: 2) }
        let first = bytes[0]
        let isCompressed = first & 0x70 == 0x40 && expectation.takesCompressed
        guard first & 0x70 == 0 || isCompressed else { return .malformed(.reservedBit) }
        guard let opcode = Opcode(rawValue: first & 0x0F) else { return .malformed(.reservedOpcode) }
        guard !isCompressed || opcode.beginsMessage else { return .malformed(.reservedBit) }
        let isFinal = first & 0x80 != 0
        switch opcode {
        case .close, .ping, .pong:
            guard isFinal else { return .malformed(.fragmentedControl) }
        case .continuation:
            guard expectation.isInsideMessage else { return .malformed(.unexpectedContinuation) }
        case .text, .binary:
            guard !expectation.isInsideMessage else { return .malformed(.interruptedMessage) }
        }

        guard bytes.count >= 2 else { return .incomplete(neededBytes: 2) }
        let second = bytes[1]
        let isMasked = second & 0x80 != 0
        guard isMasked == expectation.isMasked else { return .malformed(isMasked ? .masked : .unmasked) }
        let payloadBytes: Int
        var headerBytes = 2
        switch second & 0x7F {
        case let length where length <= 125:
            payloadBytes = Int(length)
        case _ where opcode.isControl:
            return .malformed(.oversizedControl)
        case 126:
            headerBytes += 2
            guard bytes.count >= headerBytes else { return .incomplete(neededBytes: headerBytes) }
            payloadBytes = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            guard payloadBytes > 125 else { return .malformed(.nonMinimalLength) }
        default:
            headerBytes += 8
            guard bytes.count >= headerBytes else { return .incomplete(neededBytes: headerBytes) }
            let length = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            guard length >> 63 == 0 else { return .malformed(.lengthOverflow) }
            guard length > UInt64(UInt16.max) else { return .malformed(.nonMinimalLength) }
            payloadBytes = Int(clamping: length)
        }
        let limit = isCompressed ? expectation.compressedLimit : expectation.payloadLimit
        guard opcode.isControl || payloadBytes <= limit else {
            return .malformed(.messageTooLarge)
        }

        var key: MaskingKey?
        if isMasked {
            let keyOffset = headerBytes
            headerBytes += 4
            guard bytes.count >= headerBytes else { return .incomplete(neededBytes: headerBytes) }
            let word = bytes.loadUnaligned(fromByteOffset: keyOffset, as: UInt32.self)
            key = MaskingKey(networkOrder: UInt32(bigEndian: word))
        }
        if opcode.isControl, bytes.count < headerBytes + payloadBytes {
            return .incomplete(neededBytes: headerBytes + payloadBytes)
        }
        return .complete(
            FrameHeader(
                opcode: opcode, isFinal: isFinal, isCompressed: isCompressed, payloadBytes: payloadBytes, key: key,
                headerBytes: headerBytes))
    }
}
