import NIOCore

/// The buffer that all sockets of an event loop read into, one after the other: between reads a connection holds next
/// to nothing.
///
/// A read takes the buffer, and whoever is done with the bytes lends it for the next. One that is in use elsewhere by
/// then stays with whoever holds it, and another is made.
///
/// `@unchecked Sendable`: it belongs to the hub's event loop, like the channels that read into it.
final class ReceiveBuffer: @unchecked Sendable {
    /// As much is read from one socket before it is the next one's turn.
    static let bytes = 16 << 10

    private var spare: ByteBuffer?

    func lend(_ buffer: ByteBuffer) { spare = buffer }

    fileprivate func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        guard var buffer = spare.take(), buffer.storageCapacity >= ReceiveBuffer.bytes,
            buffer.modifyIfUniquelyOwned({ $0.clear() }) != nil
        else { return allocator.buffer(capacity: ReceiveBuffer.bytes) }
        return buffer
    }
}

/// Gives a channel the buffer of its loop, one for each read (`maxMessagesPerRead` is 1).
struct SharedReceiving: RecvByteBufferAllocator {
    /// NIO keeps the first buffer that it gets as long as the channel lives, so that one is tiny.
    private static let firstBytes = 16
    /// Half a handshake stays in its buffer until the rest comes: that must not be the large one.
    private static let handshakeReads = 4
    private static let handshakeBytes = 1024

    private let shared: ReceiveBuffer
    private var reads: UInt8 = 0

    init(_ shared: ReceiveBuffer) {
        self.shared = shared
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        if reads >= SharedReceiving.handshakeReads { return shared.take(allocator) }
        return allocator.buffer(
            capacity: reads == 0 ? SharedReceiving.firstBytes : SharedReceiving.handshakeBytes)
    }

    /// Answers that the next buffer may be larger, or NIO would use the first one again.
    mutating func record(actualReadBytes: Int) -> Bool {
        if reads < SharedReceiving.handshakeReads { reads += 1 }
        return true
    }
}
