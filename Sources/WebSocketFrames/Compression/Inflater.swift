import CZlib
import NIOCore

/// Undoes the compression of one message, piece by piece, and never beyond a bound (RFC 7692, section 7.2.2).
///
/// `@unchecked Sendable`: one decoder owns it and passes it on to nobody.
final class Inflater: @unchecked Sendable {
    /// What zlib holds for it at most: its state and the window of 32 KiB.
    static let heldBytes = 48 << 10

    /// What the decoder has fed it with.
    var takenBytes = 0
    /// On the heap, since zlib's state points back at it.
    private let stream: UnsafeMutablePointer<z_stream>

    /// Nil where there is no memory for it.
    init?() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // A negative number of bits stands for raw deflate; the largest window reads the streams of all smaller ones.
        let status = inflateInit2_(stream, -15, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Appends what `compressed` stands for to `output`; an error where that is damaged or `output` would come to hold
    /// more than `limit` bytes.
    func inflate(
        _ compressed: UnsafeMutableRawBufferPointer, into output: inout ByteBuffer, limit: Int
    ) -> FrameError? {
        stream.pointee.next_in = compressed.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(compressed.count)
        while true {
            let remaining = limit - output.readableBytes
            let status =
                remaining > 0
                ? fill(&output, room: min(remaining, max(256, 4 * Int(stream.pointee.avail_in)))) : overflow()
            let isFull = stream.pointee.avail_out == 0
            if remaining == 0, isFull { return .messageTooLarge }
            switch status {
            case Z_OK:
                if stream.pointee.avail_in == 0, !isFull { return nil }
            case Z_BUF_ERROR:
                // Neither was there anything to read, nor is there anything left to write.
                return nil
            case Z_STREAM_END:
                // A block may be marked as the last (section 7.2.3.4); what follows it begins anew.
                guard inflateReset(stream) == Z_OK else { return .damagedCompression }
                if stream.pointee.avail_in == 0 { return nil }
            default:
                return .damagedCompression
            }
        }
    }

    /// Ends the message; an error where it stops in the middle of a block.
    func finish(into output: inout ByteBuffer, limit: Int) -> FrameError? {
        withUnsafeTemporaryAllocation(byteCount: 4, alignment: 1) { tail in
            // What the sender has taken off.
            tail.copyBytes(from: [0x00, 0x00, 0xFF, 0xFF])
            return inflate(tail, into: &output, limit: limit) ?? (isBetweenBlocks ? nil : .damagedCompression)
        }
    }

    /// zlib's word for it: 128 behind the end of a block, 64 in the last one, and the unused bits in the lowest.
    private var isBetweenBlocks: Bool { stream.pointee.data_type == 128 }

    private func fill(_ output: inout ByteBuffer, room: Int) -> CInt {
        var status = Z_OK
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { free in
            stream.pointee.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(room)
            status = CZlib.inflate(stream, Z_SYNC_FLUSH)
            return room - Int(stream.pointee.avail_out)
        }
        return status
    }

    /// Nothing more may come out: whether one byte would, `avail_out` shows.
    private func overflow() -> CInt {
        var byte: UInt8 = 0
        return withUnsafeMutablePointer(to: &byte) { byte in
            stream.pointee.next_out = byte
            stream.pointee.avail_out = 1
            return CZlib.inflate(stream, Z_SYNC_FLUSH)
        }
    }
}
