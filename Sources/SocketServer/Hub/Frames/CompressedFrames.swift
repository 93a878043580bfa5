import NIOCore

/// Frames on their way to those members of a room that take them compressed; on the heap, so that a room without such
/// members does not hold the room for it.
package final class CompressedFrames {
    package private(set) var bytes: ByteBuffer

    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }

    func append(_ body: (inout ByteBuffer) -> Void) { body(&bytes) }
}
