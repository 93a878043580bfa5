import NIOCore

/// What has come of a message: unmasked, and no longer compressed.
///
/// A copy shares the inflater, which only one of them may use.
struct PartialMessage {
    private let inflater: Inflater?
    private(set) var bytes = ByteBuffer()
    private var utf8 = UTF8Validator()
    let isText: Bool

    /// - Parameter inflater: nil for a message that is not compressed.
    init(isText: Bool, inflater: Inflater?) {
        self.isText = isText
        self.inflater = inflater
    }

    var isCompressed: Bool { inflater != nil }

    /// Payload that has come, as it came.
    var takenBytes: Int { inflater?.takenBytes ?? bytes.readableBytes }

    var heldBytes: Int { bytes.storageCapacity + (inflater == nil ? 0 : Inflater.heldBytes) }

    /// Moves the next `count` bytes over; an error where the message cannot become a good one of `limit` bytes.
    mutating func take(_ count: Int, from buffer: inout ByteBuffer, key: MaskingKey?, limit: Int) -> FrameError? {
        guard count > 0 else { return nil }
        let start = bytes.writerIndex
        guard let inflater else {
            bytes.writeUnmasked(count, from: &buffer, key: key)
            return checkText(from: start)
        }
        let error = inflate(count, from: &buffer, key: key, with: inflater, limit: limit)
        // What came out before the damage is judged first, as it is where it comes in smaller pieces.
        return checkText(from: start) ?? error
    }

    /// Nothing more belongs to the message.
    mutating func finish(limit: Int) -> FrameError? {
        if let inflater {
            let start = bytes.writerIndex
            let error = inflater.finish(into: &bytes, limit: limit)
            if let error = checkText(from: start) ?? error { return error }
        }
        return isText && !utf8.isAtScalarBoundary ? .notUTF8 : nil
    }

    /// In small pieces, each checked against the limit before the next is looked at.
    private mutating func inflate(
        _ count: Int, from buffer: inout ByteBuffer, key: MaskingKey?, with inflater: Inflater, limit: Int
    ) -> FrameError? {
        inflater.takenBytes += count
        // A multiple of four: the key fits each piece alike.
        let pieceBytes = 4096
        return withUnsafeTemporaryAllocation(byteCount: pieceBytes, alignment: 8) { memory in
            var rest = count
            while rest > 0 {
                let piece = UnsafeMutableRawBufferPointer(rebasing: memory[..<min(rest, pieceBytes)])
                buffer.readWithUnsafeReadableBytes { readable in
                    piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: readable[..<piece.count]))
                    return piece.count
                }
                key?.apply(to: piece)
                rest -= piece.count
                if let error = inflater.inflate(piece, into: &bytes, limit: limit) { return error }
            }
            return nil
        }
    }

    private mutating func checkText(from start: Int) -> FrameError? {
        guard isText else { return nil }
        var utf8 = utf8
        let isValid = bytes.withUnsafeReadableBytes { utf8.accept(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        self.utf8 = utf8
        return isValid ? nil : .notUTF8
    }
}
