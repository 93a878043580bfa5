import NIOCore

/// Appends finished frames to a buffer (RFC 6455, section 5.2).
///
/// `mask` is nil on the server's side and a fresh unpredictable number for each frame on the client's (section 5.3).
/// Text must be UTF-8: it is not checked again here.
package enum FrameEncoder {
    /// The largest header of an unmasked frame; a mask takes four bytes more.
    package static let maxHeaderBytes = 10

    /// The size of the header before a payload of this size.
    package static func headerBytes(payloadBytes: Int, isMasked: Bool = false) -> Int {
        let bytes = payloadBytes <= 125 ? 2 : payloadBytes <= Int(UInt16.max) ? 4 : 10
        return isMasked ? bytes + 4 : bytes
    }

    /// Appends a header alone; the caller appends `payloadBytes` bytes behind it, masked by itself if `mask` is given.
    package static func writeHeader(
        opcode: Opcode, payloadBytes: Int, isFinal: Bool = true, mask: UInt32? = nil, into buffer: inout ByteBuffer
    ) {
        let header = Header(opcode: opcode, payloadBytes: payloadBytes, isFinal: isFinal, mask: mask)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: header.byteCount) { header.store(at: $0) }
    }

    /// Appends a text frame.
    package static func text(_ bytes: UnsafeRawBufferPointer, mask: UInt32? = nil, into buffer: inout ByteBuffer) {
        frame(.text, bytes, mask: mask, into: &buffer)
    }

    /// Appends a text frame.
    package static func text(_ bytes: [UInt8], mask: UInt32? = nil, into buffer: inout ByteBuffer) {
        bytes.withUnsafeBytes { frame(.text, $0, mask: mask, into: &buffer) }
    }

    /// Appends a text frame with what can be read of `bytes`.
    package static func text(_ bytes: ByteBuffer, mask: UInt32? = nil, into buffer: inout ByteBuffer) {
        bytes.withUnsafeReadableBytes { frame(.text, $0, mask: mask, into: &buffer) }
    }

    /// Appends a text frame.
    package static func text(_ string: String, mask: UInt32? = nil, into buffer: inout ByteBuffer) {
        var string = string
        string.withUTF8 { frame(.text, UnsafeRawBufferPointer($0), mask: mask, into: &buffer) }
    }

    /// Appends a binary frame with what can be read of `bytes`.
    package static func binary(_ bytes: ByteBuffer, mask: UInt32? = nil, into buffer: inout ByteBuffer) {
        bytes.withUnsafeReadableBytes { frame(.binary, $0, mask: mask, into: &buffer) }
    }

    /// Appends a ping with what can be read of `payload`: 125 bytes at most.
    package static func ping(
        _ payload: ByteBuffer = ByteBuffer(), mask: UInt32? = nil, into buffer: inout ByteBuffer
    ) {
        payload.withUnsafeReadableBytes { frame(.ping, $0, mask: mask, into: &buffer) }
    }

    /// Appends a pong with what can be read of `payload`: the bytes of the ping it answers, 125 at most.
    package static func pong(
        _ payload: ByteBuffer = ByteBuffer(), mask: UInt32? = nil, into buffer: inout ByteBuffer
    ) {
        payload.withUnsafeReadableBytes { frame(.pong, $0, mask: mask, into: &buffer) }
    }

    /// Appends a close frame.
    ///
    /// - Parameters:
    ///   - code: one that `CloseCode.mayBeSent`; nil leaves the payload, and with it the reason, out.
    ///   - reason: cut to 123 bytes between two scalars.
    package static func close(
        code: UInt16?, reason: String = "", mask: UInt32? = nil, into buffer: inout ByteBuffer
    ) {
        guard let code else {
            return frame(.close, UnsafeRawBufferPointer(start: nil, count: 0), mask: mask, into: &buffer)
        }
        precondition(CloseCode.mayBeSent(code), "close code \(code) may not be sent")
        var payload = [UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)]
        for scalar in reason.unicodeScalars {
            let bytes = UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            guard payload.count + bytes.count <= 125 else { break }
            payload.append(contentsOf: bytes)
        }
        payload.withUnsafeBytes { frame(.close, $0, mask: mask, into: &buffer) }
    }

    /// Appends a text frame whose payload `body` writes straight behind the header, so that it is not copied.
    ///
    /// The header is left room for and filled in afterwards. `body` may only append.
    ///
    /// - Parameter minimumCapacity: the expected size of the payload. A payload that falls into another class of header
    ///   (125 and 65,535 bytes are the borders) is moved once, by a few bytes.
    package static func writeTextFrame(
        into buffer: inout ByteBuffer, minimumCapacity: Int, mask: UInt32? = nil, _ body: (inout ByteBuffer) -> Void
    ) {
        let start = buffer.writerIndex
        let reserved = headerBytes(payloadBytes: minimumCapacity, isMasked: mask != nil)
        buffer.reserveCapacity(minimumWritableBytes: reserved + max(0, minimumCapacity))
        buffer.moveWriterIndex(to: start + reserved)
        body(&buffer)
        let payloadBytes = buffer.writerIndex - start - reserved
        precondition(payloadBytes >= 0 && buffer.readerIndex <= start, "the body of a frame did more than append")

        let header = Header(opcode: .text, payloadBytes: payloadBytes, isFinal: true, mask: mask)
        let size = header.byteCount
        if size > reserved {
            buffer.writeRepeatingByte(0, count: size - reserved)
        }
        let offset = start - buffer.readerIndex
        buffer.withUnsafeMutableReadableBytes { readable in
            let frame = UnsafeMutableRawBufferPointer(rebasing: readable[offset...])
            let payload = UnsafeMutableRawBufferPointer(rebasing: frame[size..<size + payloadBytes])
            if size != reserved {
                payload.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[reserved..<reserved + payloadBytes]))
            }
            header.store(at: frame)
            if let mask {
                MaskingKey(networkOrder: mask).apply(to: payload)
            }
        }
        buffer.moveWriterIndex(to: start + size + payloadBytes)
    }

    static func frame(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, mask: UInt32?, into buffer: inout ByteBuffer
    ) {
        let header = Header(opcode: opcode, payloadBytes: payload.count, isFinal: true, mask: mask)
        let size = header.byteCount + payload.count
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { free in
            let written = header.store(at: free)
            let target = UnsafeMutableRawBufferPointer(rebasing: free[written..<size])
            if let mask {
                MaskingKey(networkOrder: mask).apply(to: payload, writingTo: target)
            } else {
                target.copyMemory(from: payload)
            }
            return size
        }
    }
}

extension FrameEncoder {
    /// A header about to be stored.
    struct Header {
        private let first: UInt8
        private let payloadBytes: Int
        private let mask: UInt32?

        /// - Parameter isCompressed: sets RSV1, which is for the first frame of a message (RFC 7692, section 6).
        init(opcode: Opcode, payloadBytes: Int, isFinal: Bool, isCompressed: Bool = false, mask: UInt32?) {
            precondition(payloadBytes >= 0, "a payload of \(payloadBytes) bytes")
            precondition(
                !opcode.isControl || (payloadBytes <= 125 && isFinal),
                "a control frame in fragments or of \(payloadBytes) bytes")
            first = opcode.rawValue | (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0)
            self.payloadBytes = payloadBytes
            self.mask = mask
        }

        var byteCount: Int { FrameEncoder.headerBytes(payloadBytes: payloadBytes, isMasked: mask != nil) }

        /// Stores the header at the front of `target` and returns its size.
        @discardableResult
        func store(at target: UnsafeMutableRawBufferPointer) -> Int {
            let maskBit: UInt8 = mask == nil ? 0 : 0x80
            var size = 2
            target[0] = first
            if payloadBytes <= 125 {
                target[1] = maskBit | UInt8(truncatingIfNeeded: payloadBytes)
            } else if payloadBytes <= Int(UInt16.max) {
                target[1] = maskBit | 126
                let length = UInt16(truncatingIfNeeded: payloadBytes).bigEndian
                target.storeBytes(of: length, toByteOffset: size, as: UInt16.self)
                size += 2
            } else {
                target[1] = maskBit | 127
                target.storeBytes(of: UInt64(payloadBytes).bigEndian, toByteOffset: size, as: UInt64.self)
                size += 8
            }
            if let mask {
                target.storeBytes(of: mask.bigEndian, toByteOffset: size, as: UInt32.self)
                size += 4
            }
            return size
        }
    }
}
