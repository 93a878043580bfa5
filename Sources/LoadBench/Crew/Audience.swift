/// The receivers of one process: checks what each gets and says which messages all of them have.
///
/// A stream is one receiver's view of one room; its number comes from whoever holds the connection.
package struct Audience {
    package private(set) var tally = Tally()
    /// Numbers of messages that every stream of their room has got since this was last emptied.
    package var completed: [UInt32] = []

    private let layout: RoomLayout
    private var reader: FrameReader
    /// By stream and rank of the publisher.
    private var tracks: [StreamTrack]
    /// By stream: the gateway's `seq` of the last message, or of the join.
    private var positions: [UInt64]
    /// By room.
    private(set) var sizes: [Int32]
    /// By number of the message, in a ring: how many streams have got it.
    private var progress: [Int32]

    /// Fewer messages than this may be under way.
    static let ring = 1 << 16

    package init(layout: RoomLayout, payloadBytes: Int, shape: FrameReader.Shape = .rooms) {
        self.layout = layout
        reader = FrameReader(roomPrefix: layout.prefix, payloadBytes: payloadBytes, shape: shape)
        tracks = []
        positions = []
        sizes = Array(repeating: 0, count: layout.rooms)
        progress = Array(repeating: 0, count: Audience.ring)
    }

    /// Makes room for streams up to this number.
    package mutating func reserve(streams: Int) {
        guard streams > positions.count else { return }
        positions += repeatElement(0, count: streams - positions.count)
        tracks += repeatElement(StreamTrack(), count: streams * layout.ranks - tracks.count)
    }

    /// A stream begins to get its room's messages, after this `seq`.
    package mutating func enter(stream: Int, room: Int, position: UInt64) {
        positions[stream] = position
        sizes[room] += 1
    }

    /// Where a stream stands that has yet to be entered.
    mutating func place(stream: Int, position: UInt64) {
        positions[stream] = position
    }

    /// The `seq` of the last message that a stream got, or of its join.
    func position(of stream: Int) -> UInt64 { positions[stream] }

    /// A stream is gone: messages under way may never be complete.
    mutating func leave(room: Int) {
        sizes[room] -= 1
    }

    /// Begins a new run: publishers count from 1 again, and what was counted is forgotten.
    ///
    /// Nothing may be under way.
    package mutating func restart() {
        for index in tracks.indices { tracks[index] = StreamTrack() }
        for index in progress.indices { progress[index] = 0 }
        completed = []
        tally = Tally()
    }

    mutating func count(lost reason: String) {
        tally.lost[reason, default: 0] += 1
    }

    mutating func count(refused reason: String) {
        tally.refused[reason, default: 0] += 1
    }

    mutating func count(error code: String) {
        tally.errors[code, default: 0] += 1
    }

    mutating func countGap() {
        tally.gaps += 1
    }

    /// Reads a frame; `streamOf` gives the stream for a room's number, nil where the receiver is not in it.
    ///
    /// - Returns: what is not a message, for the owner of the connection; nil for messages.
    @inline(__always)
    package mutating func receive(
        _ text: UnsafeRawBufferPointer, at now: UInt64, streamOf: (Int) -> Int?
    ) -> FrameReader.Reading? {
        let reading = reader.read(text)
        guard case .message(let envelope, let seq) = reading else {
            guard reading == .damaged else { return reading }
            tally.damaged += 1
            return nil
        }
        guard let stream = streamOf(envelope.room), stream < positions.count,
            let rank = layout.rank(of: envelope.publisher, in: envelope.room)
        else {
            tally.misplaced += 1
            return nil
        }
        let verdict = tracks[stream * layout.ranks + rank].received(envelope.sequence)
        if verdict == .repeated {
            tally.repeated += 1
            return nil
        }
        if verdict == .late { tally.late += 1 }
        if let seq {
            if seq != positions[stream] + 1 { tally.misnumbered += 1 }
            positions[stream] = seq
        }
        tally.deliveries += 1
        tally.bytes += text.count
        tally.latency.record(now > envelope.due ? now - envelope.due : 0)
        let place = Int(envelope.number) & (Audience.ring - 1)
        progress[place] += 1
        if progress[place] >= sizes[envelope.room] {
            progress[place] = 0
            completed.append(envelope.number)
        }
        return nil
    }
}
