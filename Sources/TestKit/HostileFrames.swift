import NIOCore
import WebSocketFrames

/// Frames as a client may put them together that keeps to no rule but the mask.
package enum HostileFrames {
    private static let mask: UInt32 = 0x37FA_213D

    /// A whole text message.
    package static func text(_ text: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        FrameEncoder.text(text, mask: mask, into: &buffer)
        return buffer
    }

    /// A whole text message, as small as deflate makes it (RFC 7692).
    package static func deflated(_ text: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        FrameCompressor(level: 9, minimumBytes: 0)?.text(Array(text.utf8), mask: mask, into: &buffer)
        return buffer
    }

    /// The beginning of a compressed message that nothing follows.
    package static func unfinishedDeflated(_ text: String) -> ByteBuffer {
        var frame = deflated(text)
        // Without the bit that says that this frame is the last one.
        if let first = frame.getInteger(at: frame.readerIndex, as: UInt8.self) {
            frame.setInteger(first & 0x7F, at: frame.readerIndex)
        }
        return frame
    }

    /// A close frame with 1000.
    package static var farewell: ByteBuffer {
        var buffer = ByteBuffer()
        FrameEncoder.close(code: 1000, mask: mask, into: &buffer)
        return buffer
    }

    /// The same bytes so many times.
    package static func repeated(_ frame: ByteBuffer, _ count: Int) -> ByteBuffer {
        var all = ByteBuffer()
        all.reserveCapacity(frame.readableBytes * count)
        for _ in 0..<count { all.writeImmutableBuffer(frame) }
        return all
    }
}
