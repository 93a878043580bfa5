import Dialects
import GatewayCore
import NIOCore
import WebSocketFrames

/// Writes events as finished frames, compressed for those who agreed on that and where it is worth it.
///
/// It keeps the event written last, so that the same event is not encoded twice. Belongs to its hub's event loop.
package final class FrameWriter {
    /// Of the event written last; more is not kept for the next one.
    private static let keptBytes = 1 << 17

    private let dialect = NativeDialect()
    /// The event written last, without the frame around it.
    private var scratch: [UInt8] = []
    /// One for all rooms and connections; made for the first message that is worth it.
    private lazy var compressor = FrameCompressor()

    package init() {}

    /// Appends an event as a finished frame.
    ///
    /// - Parameter isCompressed: whether it may be, for those who agreed on that.
    package func write(_ event: ServerEvent, into buffer: inout ByteBuffer, isCompressed: Bool = false) {
        scratch.removeAll(keepingCapacity: scratch.capacity <= FrameWriter.keptBytes)
        dialect.encode(event, into: &scratch)
        if isCompressed, isWorthCompressing, let compressor { return compressor.text(scratch, into: &buffer) }
        FrameEncoder.text(scratch, into: &buffer)
    }

    /// An event as a finished frame.
    package func frame(_ event: ServerEvent, isCompressed: Bool = false) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(event, into: &buffer, isCompressed: isCompressed)
        return buffer
    }

    /// Appends what an event is in another dialect, as finished frames: none where that has no word for it.
    func write(_ event: ServerEvent, in dialect: any Dialect, into buffer: inout ByteBuffer) {
        dialect.write(event) { FrameEncoder.text($0, into: &buffer) }
    }

    func frames(_ event: ServerEvent, in dialect: any Dialect) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(event, in: dialect, into: &buffer)
        return buffer
    }

    /// A roster's change as a finished frame, with events that have been written before in place of its own.
    func frame(_ change: RosterChange, events: ArraySlice<UInt8>) -> ByteBuffer {
        scratch.removeAll(keepingCapacity: scratch.capacity <= FrameWriter.keptBytes)
        dialect.encode(change, events: events, into: &scratch)
        var buffer = ByteBuffer()
        FrameEncoder.text(scratch, into: &buffer)
        return buffer
    }

    // MARK: The same once more

    /// Of the event written last.
    private var isWorthCompressing: Bool { scratch.count >= FrameCompressor.usualMinimumBytes }

    /// The event written last as a compressed frame; `plain` where that is not worth it.
    package func frameAgain(_ plain: ByteBuffer) -> ByteBuffer {
        guard isWorthCompressing, let compressor else { return plain }
        var buffer = ByteBuffer()
        compressor.text(scratch, into: &buffer)
        return buffer
    }

    /// Adds the event written last, which stands in `plain` from `start` on, to what members that take compressed
    /// frames get; answers nil as long as nothing was worth compressing, and that is the very buffer of all others.
    package func addAgain(
        to compressed: CompressedFrames?, lastOf plain: ByteBuffer, from start: Int
    ) -> CompressedFrames? {
        guard isWorthCompressing, let compressor else {
            compressed?.append { _ = $0.writeBytes(plain.readableBytesView[start...]) }
            return compressed
        }
        let frames = compressed ?? CompressedFrames(ByteBuffer(bytes: plain.readableBytesView[..<start]))
        frames.append { compressor.text(scratch, into: &$0) }
        return frames
    }
}
