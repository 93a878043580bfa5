import CZlib

/// What a gzip file holds (RFC 1952).
enum Gunzip {
    /// Nil unless the file is whole and holds just so many bytes.
    static func bytes(of file: [UInt8], count: Int) -> [UInt8]? {
        // zlib wants its state to stay where it was.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        let size = CInt(MemoryLayout<z_stream>.size)
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, size) == Z_OK else { return nil }
        defer { inflateEnd(stream) }
        var file = file
        var bytes = [UInt8](repeating: 0, count: count)
        let status = file.withUnsafeMutableBufferPointer { source in
            bytes.withUnsafeMutableBufferPointer { target in
                stream.pointee.next_in = source.baseAddress
                stream.pointee.avail_in = UInt32(source.count)
                stream.pointee.next_out = target.baseAddress
                stream.pointee.avail_out = UInt32(target.count)
                return inflate(stream, Z_FINISH)
            }
        }
        return status == Z_STREAM_END && stream.pointee.avail_out == 0 ? bytes : nil
    }
}
