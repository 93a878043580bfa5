/// The kind of a frame (RFC 6455, section 5.2); the other ten values are reserved.
package enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Whether frames of this kind may stand between the fragments of a message (section 5.5).
    package var isControl: Bool { rawValue >= 0x8 }

    /// Whether a frame of this kind is the first of a message.
    var beginsMessage: Bool { self == .text || self == .binary }
}
