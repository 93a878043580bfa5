import NIOCore

/// Compresses the input as a message and reads it again; it must come back as it was.
///
/// The first byte chooses the window, the level, the kind of message and whether it is masked.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCompression(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let choice = data[0]
    let payload = UnsafeRawBufferPointer(start: data + 1, count: count - 1)
    let isMasked = choice & 0x40 == 0
    guard
        let compressor = FrameCompressor(
            windowBits: 9 + Int(choice & 7) % 7, level: choice & 8 == 0 ? 1 : 6, minimumBytes: 0)
    else { return 0 }
    var frame = ByteBuffer()
    // A second message must not know of the first.
    let texts = [0x20, 0x00].map { bit in choice & bit == 0 && String(validating: payload, as: UTF8.self) != nil }
    for isText in texts {
        compressor.write(isText ? .text : .binary, payload, mask: isMasked ? 0x37FA_213D : nil, into: &frame)
    }
    require(
        frame.readableBytes <= 2 * (payload.count + FrameEncoder.maxHeaderBytes + 4), "compressing made it larger")
    var decoder = FrameDecoder(
        role: isMasked ? .server : .client, maxMessageBytes: payload.count, takesCompressed: true)
    for isText in texts {
        let whole = ByteBuffer(bytes: payload)
        require(decoder.next(from: &frame) == (isText ? .text(whole) : .binary(whole)), "another message came out")
    }
    return 0
}
