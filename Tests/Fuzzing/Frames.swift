import NIOCore

/// Feeds a decoder with the input in one piece and in small ones, and holds it to what it promises.
///
/// The first byte chooses the role, compression, the limit and the size of the pieces; the rest is what comes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let choice = data[0]
    let bytes = UnsafeBufferPointer(start: data + 1, count: count - 1)
    var limits = DecoderLimits(choice)
    requireCheap(limits.fairBytes(for: bytes)) { limits.decode(bytes) }
    let whole = limits.events(of: bytes, pieceBytes: count)
    let pieces = limits.events(of: bytes, pieceBytes: Int(choice >> 4) + 1)
    require(whole == pieces, "the pieces that bytes come in change their meaning")
    return 0
}

private struct DecoderLimits {
    let role: FrameDecoder.Role
    let takesCompressed: Bool
    let maxMessageBytes: Int

    init(_ choice: UInt8) {
        role = choice & 1 == 0 ? .server : .client
        takesCompressed = choice & 2 == 0
        maxMessageBytes = [64, 1 << 10, 1 << 16, 1 << 20][Int(choice >> 2 & 3)]
    }

    /// As many bytes as what comes may cost: with what messages stand for, half a kilobyte for each frame, since frames
    /// are counted, and zlib's tables, which a dozen bytes can ask for anew. One that is refused may have been unpacked up
    /// to the limit.
    func fairBytes(for bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var decoder = FrameDecoder(role: role, maxMessageBytes: maxMessageBytes, takesCompressed: takesCompressed)
        var buffer = ByteBuffer(bytes: bytes)
        var fair = takesCompressed ? 16 * bytes.count + maxMessageBytes : bytes.count
        while let event = decoder.next(from: &buffer) {
            fair += 512
            switch event {
            case .text(let payload), .binary(let payload): fair += payload.readableBytes
            case .ping, .pong, .close, .failed: break
            }
        }
        return fair
    }

    func decode(_ bytes: UnsafeBufferPointer<UInt8>) {
        var decoder = FrameDecoder(role: role, maxMessageBytes: maxMessageBytes, takesCompressed: takesCompressed)
        var buffer = ByteBuffer(bytes: bytes)
        while decoder.next(from: &buffer) != nil {}
    }

    mutating func events(of bytes: UnsafeBufferPointer<UInt8>, pieceBytes: Int) -> [FrameDecoder.Event] {
        var decoder = FrameDecoder(role: role, maxMessageBytes: maxMessageBytes, takesCompressed: takesCompressed)
        var events: [FrameDecoder.Event] = []
        var hasEnded = false
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            let end = min(start + pieceBytes, bytes.count)
            var buffer = ByteBuffer(bytes: UnsafeBufferPointer(rebasing: bytes[start..<end]))
            while let event = decoder.next(from: &buffer) {
                require(!hasEnded, "an event after the last")
                check(event)
                switch event {
                case .close, .failed: hasEnded = true
                case .text, .binary, .ping, .pong: break
                }
                events.append(event)
            }
            require(buffer.readableBytes == 0, "bytes are left behind")
            require(
                decoder.heldBytes <= maxMessageBytes + 256 + (takesCompressed ? Inflater.heldBytes : 0),
                "\(decoder.heldBytes) bytes are held")
            require(!hasEnded || decoder.heldBytes == 0, "memory is held after the end")
        }
        return events
    }

    private func check(_ event: FrameDecoder.Event) {
        switch event {
        case .text(let payload):
            require(payload.readableBytes <= maxMessageBytes, "a message beyond the limit")
            let isUTF8 = String(validating: payload.readableBytesView, as: UTF8.self) != nil
            require(isUTF8, "text that is not UTF-8")
        case .binary(let payload):
            require(payload.readableBytes <= maxMessageBytes, "a message beyond the limit")
        case .ping(let payload), .pong(let payload):
            require(payload.readableBytes <= 125, "a long control frame")
        case .close(let code, let reason):
            require(code.map(CloseCode.mayBeSent) ?? reason.isEmpty, "a close that may not be sent")
        case .failed(let error):
            require(CloseCode.mayBeSent(error.closeCode), "an error without a code")
        }
    }
}
