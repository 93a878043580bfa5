import CZlib
import NIOCore

/// Writes messages as compressed frames (RFC 7692, section 7.2.1), each by itself, so that one frame is good for every
/// peer that agreed on the same window.
///
/// It holds a good quarter of a MiB. Not thread-safe: it belongs to one event loop.
package final class FrameCompressor {
    /// Smaller messages are not worth the work.
    package static let usualMinimumBytes = 512
    /// The window for frames that many peers get: the largest, which each of them can read unless it said otherwise.
    package static let sharedWindowBits = 15...15

    /// On the heap, since zlib's state points back at it.
    private let stream: UnsafeMutablePointer<z_stream>
    private let minimumBytes: Int

    /// - Parameters:
    ///   - windowBits: as agreed on.
    ///   - level: 1, fast, to 9, small.
    ///   - minimumBytes: messages below this size are not worth the work and go out as they are.
    ///
    /// Nil where there is no memory for it.
    package init?(windowBits: Int = 15, level: Int = 6, minimumBytes: Int = usualMinimumBytes) {
        precondition(DeflateAgreement.possibleWindowBits.contains(windowBits), "a window of \(windowBits) bits")
        precondition((1...9).contains(level), "a compression level of \(level)")
        self.minimumBytes = minimumBytes
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // A negative number of bits stands for raw deflate.
        let status = deflateInit2_(
            stream, CInt(level), Z_DEFLATED, CInt(-windowBits), 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            CInt(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Appends a text frame, compressed where that makes it smaller.
    package func text(_ payload: UnsafeRawBufferPointer, mask: UInt32? = nil, into buffer: inout ByteBuffer) {
        write(.text, payload, mask: mask, into: &buffer)
    }

    /// Appends a text frame, compressed where that makes it smaller.
    package func text(_ payload: [UInt8], mask: UInt32? = nil, into buffer: inout ByteBuffer) {
        payload.withUnsafeBytes { write(.text, $0, mask: mask, into: &buffer) }
    }

    /// Appends a frame of one whole text or binary message, compressed where that makes it smaller.
    package func write(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, mask: UInt32? = nil, into buffer: inout ByteBuffer
    ) {
        precondition(opcode.beginsMessage, "a control frame or fragment to be compressed")
        guard payload.count >= minimumBytes, payload.count <= Int(Int32.max) else {
            return FrameEncoder.frame(opcode, payload, mask: mask, into: &buffer)
        }
        let reserved = FrameEncoder.headerBytes(payloadBytes: payload.count, isMasked: mask != nil)
        let written = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: reserved + payload.count) { free in
            let room = UnsafeMutableRawBufferPointer(rebasing: free[reserved..<reserved + payload.count])
            guard let count = deflate(payload, into: room) else { return 0 }
            let header = FrameEncoder.Header(
                opcode: opcode, payloadBytes: count, isFinal: true, isCompressed: true, mask: mask)
            let target = UnsafeMutableRawBufferPointer(rebasing: free[header.byteCount..<header.byteCount + count])
            if header.byteCount != reserved {
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: room[..<count]))
            }
            header.store(at: free)
            if let mask { MaskingKey(networkOrder: mask).apply(to: target) }
            return header.byteCount + count
        }
        if written == 0 { FrameEncoder.frame(opcode, payload, mask: mask, into: &buffer) }
    }

    /// Answers how many bytes the compressed message takes; nil where it does not become smaller.
    private func deflate(_ payload: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer) -> Int? {
        guard deflateReset(stream) == Z_OK else { return nil }
        // zlib only reads what `next_in` points at, though its type does not say so.
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: payload.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(payload.count)
        stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(room.count)
        // Where no room is left behind it, a flush may not have come to its end.
        guard CZlib.deflate(stream, Z_SYNC_FLUSH) == Z_OK, stream.pointee.avail_out > 0 else { return nil }
        // The flush ends in the four bytes that the receiver puts back.
        return room.count - Int(stream.pointee.avail_out) - 4
    }
}
