import Archive
import GatewayCore
import RedisBackend
import RedisClient

/// Makes of what a stream gave what one transaction writes: each message with its epoch's number, and what is missing
/// before it from the room's log, or as a gap.
struct ArchivePlan {
    /// By room and epoch: how far the archive will be when the batch is written.
    private(set) var ends: [String: [String: ArchiveDatabase.End]]
    private(set) var batch: ArchiveDatabase.Batch
    /// How many messages came from logs.
    private(set) var filled = 0
    /// By room and epoch: messages that are known to have lost their payloads.
    private var redacted: [String: [String: [ArchivedMessage]]] = [:]
    private let streams: ArchiveStreams
    /// By Redis's clock in milliseconds.
    private let now: Int64

    /// - Parameter ends: what the archive has, of each room that will come.
    init(
        partition: Int, token: Int64, ends: [String: [String: ArchiveDatabase.End]], redactions: [ArchiveRedaction],
        streams: ArchiveStreams, now: Int64
    ) {
        batch = ArchiveDatabase.Batch(partition: partition, token: token)
        batch.redactions = redactions
        for message in redactions.compactMap(\.message) {
            redacted[message.room, default: [:]][message.epoch, default: []].append(message)
        }
        self.ends = ends
        self.streams = streams
        self.now = now
    }

    /// The next message of the stream.
    mutating func add(_ message: ArchivedMessage) async throws(CallError) {
        let known = ends[message.room] ?? [:]
        if let end = known[message.epoch] {
            // It was written before, or in place of a hole.
            if message.payload == nil, message.seq <= end.seq { return }
            if message.seq > end.seq + 1 {
                let hole = EpochCourse.Stretch(epoch: message.epoch, from: end.seq + 1, to: message.seq - 1)
                try await fill([hole], of: message.room, course: try await streams.course(of: message.roomName))
            }
        } else if !known.isEmpty || message.seq > 1 {
            let latest = known.max { $0.value.number < $1.value.number }
            let course = try await streams.course(of: message.roomName)
            let after = latest.map { Position(epoch: $0.key, seq: $0.value.seq) }
            let missing = course?.missing(after: after, before: message.position) ?? []
            try await fill(missing, of: message.room, course: course)
        }
        append(message)
    }

    private mutating func append(_ message: ArchivedMessage) {
        var message = message
        message.epochNumber = reach(message.seq, of: message.epoch, in: message.room)
        batch.messages.append(message)
    }

    /// The archive has the epoch up to this message; answers the epoch's number.
    private mutating func reach(_ seq: Int, of epoch: String, in room: String) -> Int {
        var known = ends[room] ?? [:]
        let number = known[epoch]?.number ?? (known.values.map(\.number).max() ?? 0) + 1
        known[epoch] = ArchiveDatabase.End(number: number, seq: max(seq, known[epoch]?.seq ?? 0))
        ends[room] = known
        return number
    }

    private mutating func fill(
        _ stretches: [EpochCourse.Stretch], of room: String, course: EpochCourse?
    ) async throws(CallError) {
        for stretch in stretches {
            var next = stretch.from
            for message in try await found(stretch, of: room, course: course) {
                if message.seq > next { addGap(from: next, to: message.seq - 1, of: stretch.epoch, in: room) }
                append(message)
                filled += 1
                next = message.seq + 1
            }
            if next <= stretch.to { addGap(from: next, to: stretch.to, of: stretch.epoch, in: room) }
        }
    }

    /// What there is of a stretch, in order: in the log, or known to be redacted.
    private func found(
        _ stretch: EpochCourse.Stretch, of room: String, course: EpochCourse?
    ) async throws(CallError) -> [ArchivedMessage] {
        let found = try await read(stretch, of: room, course: course)
        let others = redacted[room]?[stretch.epoch]?.filter { (stretch.from...stretch.to).contains($0.seq) } ?? []
        guard !others.isEmpty else { return found }
        let seqs = Set(found.map(\.seq))
        return (found + others.filter { !seqs.contains($0.seq) }).sorted { $0.seq < $1.seq }
    }

    private mutating func addGap(from: Int, to: Int, of epoch: String, in room: String) {
        let number = reach(to, of: epoch, in: room)
        batch.gaps.append(
            ArchiveGap(room: room, epoch: epoch, epochNumber: number, from: from, to: to, foundAt: now))
    }

    /// What the log has of a stretch. Where the room has gone into another epoch meanwhile, or has been set back, nothing is
    /// taken for what it may not be.
    private func read(
        _ stretch: EpochCourse.Stretch, of room: String, course: EpochCourse?
    ) async throws(CallError) -> [ArchivedMessage] {
        guard let course else { return [] }
        var found: [ArchivedMessage] = []
        var seq = stretch.from - 1
        while seq < stretch.to {
            let page = try await streams.log(of: RoomName(unchecked: room), after: seq)
            guard page.head.epoch == course.present else { return [] }
            for message in page.messages
            where message.seq <= stretch.to && course.epoch(of: message.seq) == stretch.epoch {
                found.append(
                    ArchivedMessage(
                        room: room, epoch: stretch.epoch, seq: message.seq, userId: message.userId.string,
                        event: message.event?.string, msgType: message.msgType,
                        payload: message.isRedacted ? nil : message.payload, sentAt: message.timestamp))
            }
            guard let last = page.messages.last, page.more else { break }
            seq = last.seq
        }
        return found
    }
}

extension ArchivedMessage {
    fileprivate var roomName: RoomName { RoomName(unchecked: room) }
}
