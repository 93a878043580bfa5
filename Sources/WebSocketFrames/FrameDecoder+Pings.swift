import NIOCore

extension FrameDecoder {
    /// Takes the pings out of bytes that are not to be unpacked yet, so that they can be answered ahead of the rest.
    ///
    /// Nothing but headers is looked at, up to a frame that is not all there or breaks a rule: `next(from:)` will find
    /// the same frames without these. A close frame ends the search, since nothing counts behind it.
    package func takePings(outOf buffer: inout ByteBuffer) -> [ByteBuffer] {
        guard front == nil else { return [] }
        var rest = buffer
        var isInsideMessage = message != nil
        switch phase {
        case .finished: return []
        case .header: break
        case .payload(let frame):
            guard Int(frame.missingBytes) <= rest.readableBytes else { return [] }
            rest.moveReaderIndex(forwardBy: Int(frame.missingBytes))
            isInsideMessage = !frame.isFinal
        }
        var pings: [ByteBuffer] = []
        // Reader indices between pings: what stays.
        var kept: [Range<Int>] = []
        var keptFrom = buffer.readerIndex
        search: while let header = header(of: rest, isInsideMessage: isInsideMessage),
            header.payloadBytes <= rest.readableBytes - header.headerBytes
        {
            let start = rest.readerIndex
            rest.moveReaderIndex(forwardBy: header.headerBytes)
            switch header.opcode {
            case .ping:
                pings.append(rest.readPayload(count: header.payloadBytes, key: header.key))
                kept.append(keptFrom..<start)
                keptFrom = rest.readerIndex
            case .close: break search
            case .pong: rest.moveReaderIndex(forwardBy: header.payloadBytes)
            case .continuation, .text, .binary:
                rest.moveReaderIndex(forwardBy: header.payloadBytes)
                isInsideMessage = !header.isFinal
            }
        }
        guard !pings.isEmpty else { return [] }
        kept.append(keptFrom..<buffer.writerIndex)
        var without = ByteBufferAllocator().buffer(capacity: buffer.readableBytes)
        for range in kept {
            if var part = buffer.getSlice(at: range.lowerBound, length: range.count) { without.writeBuffer(&part) }
        }
        buffer = without
        return pings
    }

    private func header(of buffer: ByteBuffer, isInsideMessage: Bool) -> FrameHeader? {
        let expectation = FrameHeader.Expectation(
            isMasked: role == .server, isInsideMessage: isInsideMessage, takesCompressed: takesCompressed,
            payloadLimit: .max, compressedLimit: .max)
        switch buffer.withUnsafeReadableBytes({ FrameHeader.read($0, expecting: expectation) }) {
        case .complete(let header): return header
        case .incomplete, .malformed: return nil
        }
    }
}
