import Glibc

/// Reads the frames that this tool's own messages arrive in, and tells the others apart.
package struct FrameReader {
    /// The meaning of a frame for the tool.
    package enum Reading: Equatable {
        /// One of this run's messages; `seq` is the server's number of it, where it gives any.
        case message(Envelope, seq: UInt64?)
        /// A message frame whose room, payload or end is not as it was sent.
        case damaged
        /// `everyone` is the position in the room that everyone is in.
        case welcome(session: String, isResumed: Bool, everyone: UInt64)
        /// The answer to a join.
        case joined(Entry)
        /// The answer to a resume that named one room.
        case resumed(Entry)
        case left
        /// Joins and leaves of others, or of the roster as a whole.
        case presence
        /// The answer to a question for a room's members: how many it has.
        case members(count: Int)
        case error(code: String)
        /// A hole that the gateway owned up to.
        case gap
        /// Whatever else a gateway tells.
        case other
    }

    /// The place in a frame where messages are found.
    package enum Shape: Sendable {
        case rooms
        /// As messages of the room that everyone is in.
        case everyone
        /// The frame is the payload.
        case bare
    }

    /// The outcome of a connection's entry into a room.
    package struct Entry: Equatable {
        /// The room's number, nil for another room than this run's.
        package var room: Int?
        package var epoch: String
        /// The head of the stream as the connection came in.
        package var seq: UInt64
        /// Whether all since the position that was asked for follows.
        package var isRecovered: Bool
        package var rosterVersion: UInt64

        package init(room: Int?, epoch: String, seq: UInt64, isRecovered: Bool, rosterVersion: UInt64 = 0) {
            self.room = room
            self.epoch = epoch
            self.seq = seq
            self.isRecovered = isRecovered
            self.rosterVersion = rosterVersion
        }
    }

    let roomPrefix: [UInt8]
    let payloadBytes: Int
    private let shape: Shape
    /// Where the payload was in the last message: with fields of a fixed width, where it is in the next.
    private var payloadStart = 0

    private static let opening = Array(#"{"type":"message","roomId":""#.utf8)
    private static let everyone = Array(#"*""#.utf8)
    private static let payloadKey = Array(#","payload":"#.utf8)
    private static let seqKey = Array(#""seq":"#.utf8)

    init(roomPrefix: String, payloadBytes: Int, shape: Shape = .rooms) {
        self.shape = shape
        self.roomPrefix = Array(roomPrefix.utf8)
        self.payloadBytes = payloadBytes
    }

    mutating func read(_ text: UnsafeRawBufferPointer) -> Reading {
        guard FrameReader.stands(FrameReader.opening, in: text, at: 0) else {
            if shape == .bare { return bare(text) }
            return FrameReader.stands(FrameReader.appOpening, in: text, at: 0) ? appMessage(text) : reply(text)
        }
        let key = FrameReader.payloadKey
        if !FrameReader.stands(key, in: text, at: payloadStart - key.count) {
            guard let found = FrameReader.find(key, in: text) else { return .damaged }
            payloadStart = found + key.count
        }
        guard let envelope = Envelope(text, at: payloadStart, bytes: payloadBytes),
            target(in: text, at: FrameReader.opening.count) == envelope.room,
            let seq = FrameReader.lastNumber(in: text, after: payloadStart + payloadBytes)
        else { return .damaged }
        return .message(envelope, seq: seq)
    }

    private func bare(_ text: UnsafeRawBufferPointer) -> Reading {
        guard text.count == payloadBytes, let envelope = Envelope(text, at: 0, bytes: payloadBytes) else {
            return .damaged
        }
        return .message(envelope, seq: nil)
    }

    /// The number of the room that a message is of; everyone's counts as room 0.
    @inline(__always)
    private func target(in text: UnsafeRawBufferPointer, at start: Int) -> Int? {
        guard shape == .everyone else { return room(in: text, at: start) }
        return FrameReader.stands(FrameReader.everyone, in: text, at: start) ? 0 : nil
    }

    /// The number of this run's room whose name begins at `start`.
    func room(in text: UnsafeRawBufferPointer, at start: Int) -> Int? {
        let digits = start + roomPrefix.count
        let end = digits + RoomLayout.digits
        guard end < text.count, text[end] == UInt8(ascii: "\""), FrameReader.stands(roomPrefix, in: text, at: start)
        else { return nil }
        return Decimal.read(text, at: digits, digits: RoomLayout.digits).map { Int($0) }
    }

    /// The digits behind `"seq":` that the text ends with.
    private static func lastNumber(in text: UnsafeRawBufferPointer, after start: Int) -> UInt64? {
        guard let last = text.last, last == UInt8(ascii: "}") else { return nil }
        var first = text.count - 1
        while first > start, text[first - 1] &- UInt8(ascii: "0") < 10 { first -= 1 }
        guard stands(seqKey, in: text, at: first - seqKey.count) else { return nil }
        return Decimal.read(text, at: first, digits: text.count - 1 - first)
    }

    @inline(__always)
    static func stands(_ bytes: [UInt8], in text: UnsafeRawBufferPointer, at start: Int) -> Bool {
        guard start >= 0, start + bytes.count <= text.count, let base = text.baseAddress else { return false }
        return memcmp(base + start, bytes, bytes.count) == 0
    }

    static func find(_ bytes: [UInt8], in text: UnsafeRawBufferPointer) -> Int? {
        guard text.count >= bytes.count else { return nil }
        return (0...text.count - bytes.count).first { stands(bytes, in: text, at: $0) }
    }
}
