import CZlib

extension [UInt8] {
    /// These bytes as a gzip file (RFC 1952), as small as zlib makes them; nil where there is no memory for it.
    func gzipped() -> [UInt8]? {
        // zlib wants its state to stay where it was.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        // 16 above the bits of the window asks for gzip's header and checksum.
        let status = deflateInit2_(
            stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { return nil }
        defer { deflateEnd(stream) }
        var isWhole = false
        let room = Int(deflateBound(stream, UInt(count)))
        let file = [UInt8](unsafeUninitializedCapacity: room) { free, written in
            withUnsafeBufferPointer { bytes in
                // zlib only reads what `next_in` points at, though its type does not say so.
                stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
                stream.pointee.avail_in = UInt32(bytes.count)
                stream.pointee.next_out = free.baseAddress
                stream.pointee.avail_out = UInt32(free.count)
                isWhole = deflate(stream, Z_FINISH) == Z_STREAM_END
            }
            written = room - Int(stream.pointee.avail_out)
        }
        return isWhole ? file : nil
    }
}
