import NIOCore

/// Turns the bytes of a peer into whole messages and control frames (RFC 6455, section 5).
///
/// A machine without I/O: feed it whatever has arrived, call `next(from:)` until it answers nil, act on each event. It
/// takes all bytes of the buffer before it answers nil, so its owner keeps none. Between messages it holds no memory but
/// itself. Not thread-safe: it belongs to its connection's event loop.
package struct FrameDecoder: Sendable {
    /// The end of the connection that this decoder serves.
    package enum Role: Sendable {
        /// Reads what clients send: every frame must be masked.
        case server
        /// Reads what a server sends: no frame may be masked.
        case client
    }

    /// An event from the peer.
    ///
    /// A payload unmasked from a frame is a buffer of its own. One of an unmasked frame (`Role.client`) can be a slice of
    /// the buffer it came in and keeps that alive.
    package enum Event: Equatable, Sendable {
        /// A whole text message, valid UTF-8.
        case text(ByteBuffer)
        case binary(ByteBuffer)
        /// To be answered by a pong with the same bytes, 125 at most.
        case ping(ByteBuffer)
        case pong(ByteBuffer)
        /// The peer's close frame; the code is nil where it gave none. The last event.
        case close(code: UInt16?, reason: String)
        /// The peer broke the protocol or a limit: close with the error's code. The last event.
        case failed(FrameError)
    }

    enum Phase {
        case header
        case payload(DataFrame)
        case finished
    }

    /// The data frame whose payload is being taken in.
    struct DataFrame {
        fileprivate(set) var missingBytes: UInt32
        /// Turned so that it fits the next byte; nil on an unmasked frame.
        fileprivate var key: MaskingKey?
        let isFinal: Bool
    }

    private enum Step {
        case event(Event)
        case again
        case starved
    }

    private var maxMessageBytes: UInt32
    let role: Role
    let takesCompressed: Bool
    private(set) var phase = Phase.header
    private(set) var message: PartialMessage?
    /// Frames of the message under way.
    private var fragments: UInt32 = 0
    /// The front of a frame whose header, or, for a control frame, whose payload is not all there: 139 bytes at most.
    private(set) var front: ByteBuffer?

    /// - Parameters:
    ///   - maxMessageBytes: the largest message, over all its fragments; up to 1 GiB, where a buffer's reach ends.
    ///   - takesCompressed: whether permessage-deflate was agreed on, so that messages may be compressed: each by itself
    ///     (RFC 7692). What a message holds when it is no longer compressed is bounded by `maxMessageBytes` as well.
    package init(role: Role, maxMessageBytes: Int, takesCompressed: Bool = false) {
        self.role = role
        self.takesCompressed = takesCompressed
        self.maxMessageBytes = FrameDecoder.limit(maxMessageBytes)
    }

    private static func limit(_ bytes: Int) -> UInt32 { UInt32(min(max(bytes, 0), 1 << 30)) }

    /// Sets another bound for messages; one that is under way is held to it as well.
    package mutating func limitMessages(to bytes: Int) { maxMessageBytes = FrameDecoder.limit(bytes) }

    /// Whether a message has begun and is not whole, or a frame's header is not all there.
    package var isInsideMessage: Bool {
        if case .finished = phase { return false }
        return message != nil || front != nil
    }

    /// Throws away all that comes from here on, unread.
    package mutating func abandon() {
        phase = .finished
        message = nil
        front = nil
    }

    /// Empty and tiny fragments cost work and bring no event that could be counted: a message may have one for each 64
    /// bytes that it may be long, and a few more.
    private var maxFragments: UInt32 { maxMessageBytes / 64 + 16 }

    /// What cannot be compressed grows a little, by an eighth in the worst of zlib's settings.
    private var maxCompressedBytes: Int { Int(maxMessageBytes) + Int(maxMessageBytes) / 8 + 64 }

    /// The memory that a message or frame under way holds: the power of two from `maxMessageBytes` up, 48 KiB more for
    /// a compressed message, and 256 bytes for a control frame, at most; 0 between messages.
    package var heldBytes: Int {
        (message?.heldBytes ?? 0) + (front?.storageCapacity ?? 0)
    }

    /// Takes bytes out of `buffer` and returns the next event, or nil when more bytes are needed.
    ///
    /// On nil the buffer is empty. After `close` and `failed` all that comes is thrown away.
    package mutating func next(from buffer: inout ByteBuffer) -> Event? {
        while true {
            let step: Step
            switch phase {
            case .header:
                step = front == nil ? readFrame(from: &buffer) : completeFront(from: &buffer)
            case .payload(let frame):
                step = readPayload(of: frame, from: &buffer)
            case .finished:
                buffer.moveReaderIndex(to: buffer.writerIndex)
                return nil
            }
            switch step {
            case .event(let event): return event
            case .again: continue
            case .starved: return nil
            }
        }
    }

    private mutating func readFrame(from buffer: inout ByteBuffer) -> Step {
        guard buffer.readableBytes > 0 else { return .starved }
        switch readHeader(of: buffer) {
        case .incomplete:
            // A copy, since a slice would keep the whole receive buffer alive for a few bytes.
            front = ByteBuffer(bytes: buffer.readableBytesView)
            buffer.moveReaderIndex(to: buffer.writerIndex)
            return .starved
        case .malformed(let error):
            return finish(.failed(error))
        case .complete(let header):
            buffer.moveReaderIndex(forwardBy: header.headerBytes)
            return header.opcode.isControl ? readControl(header, from: &buffer) : readData(header, from: &buffer)
        }
    }

    private mutating func completeFront(from buffer: inout ByteBuffer) -> Step {
        guard var frame = front else { return .again }
        front = nil
        while true {
            switch readHeader(of: frame) {
            case .incomplete(let neededBytes):
                let count = min(neededBytes - frame.readableBytes, buffer.readableBytes)
                frame.writeBytes(buffer.readableBytesView.prefix(count))
                buffer.moveReaderIndex(forwardBy: count)
                if frame.readableBytes < neededBytes {
                    front = frame
                    return .starved
                }
            case .malformed(let error):
                return finish(.failed(error))
            case .complete(let header):
                frame.moveReaderIndex(forwardBy: header.headerBytes)
                return header.opcode.isControl ? readControl(header, from: &frame) : readData(header, from: &buffer)
            }
        }
    }

    private func readHeader(of buffer: ByteBuffer) -> FrameHeader.Reading {
        let expectation = FrameHeader.Expectation(
            isMasked: role == .server,
            isInsideMessage: message != nil,
            takesCompressed: takesCompressed,
            payloadLimit: payloadLimit,
            compressedLimit: maxCompressedBytes)
        return buffer.withUnsafeReadableBytes { FrameHeader.read($0, expecting: expectation) }
    }

    private var payloadLimit: Int {
        guard let message else { return Int(maxMessageBytes) }
        return (message.isCompressed ? maxCompressedBytes : Int(maxMessageBytes)) - message.takenBytes
    }

    private mutating func readControl(_ header: FrameHeader, from buffer: inout ByteBuffer) -> Step {
        let payload = buffer.readPayload(count: header.payloadBytes, key: header.key)
        switch header.opcode {
        case .ping: return .event(.ping(payload))
        case .pong: return .event(.pong(payload))
        case .close: return finish(Self.closing(payload))
        case .continuation, .text, .binary: preconditionFailure("a data frame taken for a control frame")
        }
    }

    /// The usual message, one frame wholly there, goes out without passing through `message`.
    private mutating func readData(_ header: FrameHeader, from buffer: inout ByteBuffer) -> Step {
        if message == nil, header.isFinal, !header.isCompressed, header.payloadBytes <= buffer.readableBytes {
            let payload = buffer.readPayload(count: header.payloadBytes, key: header.key)
            guard header.opcode == .text else { return .event(.binary(payload)) }
            return payload.isUTF8 ? .event(.text(payload)) : finish(.failed(.notUTF8))
        }
        if message == nil {
            message = PartialMessage(isText: header.opcode == .text, isCompressed: header.isCompressed)
            fragments = 0
        }
        fragments += 1
        guard fragments <= maxFragments else { return finish(.failed(.tooManyFragments)) }
        phase = .payload(
            DataFrame(missingBytes: UInt32(header.payloadBytes), key: header.key, isFinal: header.isFinal))
        return .again
    }

    /// Grows the message by what is there, never by what the header claimed.
    private mutating func readPayload(of frame: DataFrame, from buffer: inout ByteBuffer) -> Step {
        let count = min(Int(frame.missingBytes), buffer.readableBytes)
        if let error = message?.append(count, from: &buffer, key: frame.key, limit: Int(maxMessageBytes)) {
            return finish(.failed(error))
        }
        var frame = frame
        frame.missingBytes -= UInt32(count)
        guard frame.missingBytes == 0 else {
            frame.key = frame.key?.advanced(by: count)
            phase = .payload(frame)
            return .starved
        }
        phase = .header
        guard frame.isFinal, var whole = message else { return .again }
        message = nil
        if let error = whole.finish(limit: Int(maxMessageBytes)) { return finish(.failed(error)) }
        return .event(whole.isText ? .text(whole.bytes) : .binary(whole.bytes))
    }

    private mutating func finish(_ event: Event) -> Step {
        phase = .finished
        message = nil
        front = nil
        return .event(event)
    }

    /// What a close frame's payload says: nothing, or a code of two bytes and a reason (section 5.5.1).
    private static func closing(_ payload: ByteBuffer) -> Event {
        var payload = payload
        guard payload.readableBytes > 0 else { return .close(code: nil, reason: "") }
        guard let code = payload.readInteger(as: UInt16.self) else { return .failed(.truncatedCloseCode) }
        guard CloseCode.mayBeSent(code) else { return .failed(.invalidCloseCode) }
        guard payload.isUTF8 else { return .failed(.notUTF8) }
        return .close(code: code, reason: String(buffer: payload))
    }
}
