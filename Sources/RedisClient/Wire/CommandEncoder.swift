import NIOCore

/// Writes commands as RESP arrays of bulk strings.
package struct CommandEncoder {
    /// The token of the server at the other end, see `ServerID`.
    private let server: String
    /// What that server calls the connection.
    private let clientID: Int64

    package init(server: String = "", clientID: Int64 = 0) {
        self.server = server
        self.clientID = clientID
    }

    /// - Parameter number: the command's on its link.
    package func write(
        _ arguments: [RedisArgument], isRetry: Bool, number: Int64 = 0, into buffer: inout ByteBuffer
    ) {
        var bound = 32
        for argument in arguments { bound += argument.estimatedBytes + 16 }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { target in
            var cursor = Cursor(target: target)
            cursor.putHeader(UInt8(ascii: "*"), arguments.count)
            for argument in arguments {
                switch argument {
                case .bytes(let bytes):
                    bytes.withUnsafeBytes { cursor.putBulk($0) }
                case .string(let string):
                    cursor.putBulk(string)
                case .integer(let value):
                    cursor.putBulk(value)
                case .server:
                    cursor.putBulk(server)
                case .attempt:
                    cursor.putBulk(isRetry ? 1 : 0)
                case .connection:
                    cursor.putBulk(clientID)
                case .numbered(let name):
                    cursor.putBulk(name, number)
                }
            }
            return cursor.offset
        }
    }
}

/// A place in memory that is known to be large enough; what does not fit is a slip of ours and traps.
private struct Cursor {
    let target: UnsafeMutableRawBufferPointer
    var offset = 0

    init(target: UnsafeMutableRawBufferPointer) {
        self.target = target
    }

    mutating func put(_ byte: UInt8) {
        target[offset] = byte
        offset += 1
    }

    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + bytes.count]).copyMemory(from: bytes)
        offset += bytes.count
    }

    mutating func putDigits(of value: UInt64) {
        let count = Self.digitCount(value)
        var rest = value
        for index in stride(from: offset + count - 1, through: offset, by: -1) {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            target[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
            rest = quotient
        }
        offset += count
    }

    mutating func putLineEnd() {
        put(UInt8(ascii: "\r"))
        put(UInt8(ascii: "\n"))
    }

    mutating func putHeader(_ kind: UInt8, _ count: Int) {
        put(kind)
        putDigits(of: UInt64(count))
        putLineEnd()
    }

    mutating func putBulk(_ bytes: UnsafeRawBufferPointer) {
        putHeader(UInt8(ascii: "$"), bytes.count)
        put(bytes)
        putLineEnd()
    }

    mutating func putBulk(_ string: String) {
        let written: Void? = string.utf8.withContiguousStorageIfAvailable { putBulk(UnsafeRawBufferPointer($0)) }
        if written == nil {
            Array(string.utf8).withUnsafeBytes { putBulk($0) }
        }
    }

    mutating func putBulk(_ name: String, _ number: Int64) {
        putHeader(UInt8(ascii: "$"), name.utf8.count + Self.digitCount(number.magnitude))
        for byte in name.utf8 { put(byte) }
        putDigits(of: number.magnitude)
        putLineEnd()
    }

    mutating func putBulk(_ value: Int64) {
        putHeader(UInt8(ascii: "$"), Self.digitCount(value.magnitude) + (value < 0 ? 1 : 0))
        if value < 0 { put(UInt8(ascii: "-")) }
        putDigits(of: value.magnitude)
        putLineEnd()
    }

    static func digitCount(_ value: UInt64) -> Int {
        var count = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        return count
    }
}
