import Glibc

/// The payload of this tool's messages: a JSON string of fixed-width fields, a check character and padding.
///
/// The check character tells any change of one digit. The padding is cut from a fixed text at a place that follows from
/// the sequence number, so that bytes of another message in its stead are noticed.
package struct Envelope: Equatable, Sendable {
    package var room: Int
    package var publisher: Int
    /// 1, 2, 3, … for each publisher and room.
    package var sequence: UInt32
    /// The message's number in the whole run.
    package var number: UInt32
    /// When it was due, by `Clock`.
    package var due: UInt64

    package init(room: Int, publisher: Int, sequence: UInt32, number: UInt32, due: UInt64) {
        self.room = room
        self.publisher = publisher
        self.sequence = sequence
        self.number = number
        self.due = due
    }

    /// The smallest payload, quotes included.
    package static let minBytes = 1 + headBytes + 1
    package static let maxBytes = 60_000

    private static let headBytes = 7 + 1 + 4 + 1 + 10 + 1 + 10 + 1 + 20 + 1

    /// The JSON value, `bytes` long, quotes included.
    package func payload(bytes count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        bytes.append(UInt8(ascii: "\""))
        for (value, digits) in [
            (UInt64(room), 7), (UInt64(publisher), 4), (UInt64(sequence), 10), (UInt64(number), 10), (due, 20),
        ] {
            Decimal.append(value, digits: digits, to: &bytes)
            bytes.append(Envelope.separator)
        }
        bytes[bytes.count - 1] = check
        Envelope.padding.withUnsafeBytes {
            let start = Envelope.paddingStart(sequence)
            bytes.append(contentsOf: $0[start..<start + max(0, count - Envelope.minBytes)])
        }
        bytes.append(UInt8(ascii: "\""))
        return bytes
    }

    /// Reads a payload of `count` bytes at `start`; nil when anything in it is not as it was written.
    @inline(__always)
    package init?(_ text: UnsafeRawBufferPointer, at start: Int, bytes count: Int) {
        guard start >= 0, count >= Envelope.minBytes, start + count <= text.count, let base = text.baseAddress,
            text[start] == UInt8(ascii: "\""), text[start + count - 1] == UInt8(ascii: "\""),
            let room = Decimal.read(text, at: start + 1, digits: 7),
            let publisher = Decimal.read(text, at: start + 9, digits: 4),
            let sequence = Decimal.read(text, at: start + 14, digits: 10),
            let number = Decimal.read(text, at: start + 25, digits: 10),
            let due = Decimal.read(text, at: start + 36, digits: 20),
            sequence <= UInt32.max, number <= UInt32.max,
            text[start + 8] == Envelope.separator, text[start + 13] == Envelope.separator,
            text[start + 24] == Envelope.separator, text[start + 35] == Envelope.separator
        else { return nil }
        let rest = count - Envelope.minBytes
        let from = Envelope.paddingStart(UInt32(sequence))
        let isWhole = Envelope.padding.withUnsafeBytes { padding in
            guard let wanted = padding.baseAddress else { return false }
            return memcmp(base + (start + 1 + Envelope.headBytes), wanted + from, rest) == 0
        }
        self.init(
            room: Int(room), publisher: Int(publisher), sequence: UInt32(sequence), number: UInt32(number), due: due)
        guard isWhole, text[start + Envelope.headBytes] == check else { return nil }
    }

    /// 61 is prime, so no change of one digit, times its weight, goes unseen.
    private var check: UInt8 {
        let near = UInt64(room) + 3 * UInt64(publisher) + 5 * UInt64(sequence) + 7 * UInt64(number)
        return Envelope.alphabet[Int((near + 11 * (due % 61)) % 61)]
    }

    private static let separator = UInt8(ascii: ".")
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    @inline(__always)
    private static func paddingStart(_ sequence: UInt32) -> Int { Int(sequence % 61) }

    /// Letters and digits in an order without a short period.
    private static let padding: [UInt8] = {
        var state: UInt32 = 1
        return (0..<maxBytes + 64).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return alphabet[Int(state >> 26)]
        }
    }()
}
