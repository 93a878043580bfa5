import NIOCore

extension ByteBuffer {
    var isUTF8: Bool {
        withUnsafeReadableBytes { bytes in
            var utf8 = UTF8Validator()
            return utf8.accept(bytes) && utf8.isAtScalarBoundary
        }
    }

    /// Moves the next `count` bytes, which must be there, out of the buffer.
    ///
    /// A masked payload goes into memory of its own: the receive buffer is shared with the allocator that will use it
    /// again, so that unmasking in place would copy all of it first.
    mutating func readPayload(count: Int, key: MaskingKey?) -> ByteBuffer {
        guard count > 0 else { return ByteBuffer() }
        guard key != nil else { return readSlice(length: count) ?? ByteBuffer() }
        var payload = ByteBufferAllocator().buffer(capacity: count)
        payload.writeUnmasked(count, from: &self, key: key)
        return payload
    }

    /// Moves the next `count` bytes of `source`, which must be there, behind what this buffer holds.
    mutating func writeUnmasked(_ count: Int, from source: inout ByteBuffer, key: MaskingKey?) {
        source.readWithUnsafeReadableBytes { readable in
            let bytes = UnsafeRawBufferPointer(rebasing: readable[..<count])
            writeWithUnsafeMutableBytes(minimumWritableBytes: count) { free in
                let target = UnsafeMutableRawBufferPointer(rebasing: free[..<count])
                if let key {
                    key.apply(to: bytes, writingTo: target)
                } else {
                    target.copyMemory(from: bytes)
                }
                return count
            }
            return count
        }
    }
}
