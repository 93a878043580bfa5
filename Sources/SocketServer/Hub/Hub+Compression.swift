import NIOCore
import WebSocketFrames

/// Frames on their way to those members of a room that take them compressed; on the heap, so that a room without such
/// members does not hold the room for it.
final class CompressedFrames {
    fileprivate(set) var bytes: ByteBuffer

    fileprivate init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }
}

/// Messages are compressed once for all members of a room; who does not take them so gets them as they are.
extension Hub {
    /// Of the event written last.
    var isWorthCompressing: Bool { scratch.count >= FrameCompressor.usualMinimumBytes }

    /// The event written last as a compressed frame; `plain` where that is not worth it.
    func frameAgain(_ plain: ByteBuffer) -> ByteBuffer {
        guard isWorthCompressing, let compressor else { return plain }
        var buffer = ByteBuffer()
        compressor.text(scratch, into: &buffer)
        return buffer
    }

    /// Adds the message written last, which stands in `plain` from `start` on, to what members that take compressed
    /// frames get.
    ///
    /// As long as nothing was worth compressing that is the very buffer of all others.
    func addCompressed(to hubRoom: HubRoom, lastOf plain: ByteBuffer, from start: Int) {
        guard let compressed = hubRoom.compressed else {
            guard isWorthCompressing, let compressor else { return }
            var bytes = ByteBuffer(bytes: plain.readableBytesView[..<start])
            compressor.text(scratch, into: &bytes)
            hubRoom.compressed = CompressedFrames(bytes)
            return
        }
        if isWorthCompressing, let compressor {
            compressor.text(scratch, into: &compressed.bytes)
        } else {
            compressed.bytes.writeBytes(plain.readableBytesView[start...])
        }
    }
}
