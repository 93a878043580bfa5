import GatewayCore

/// The positions of a client in each room's stream, and what it asks a new connection for so that no stream breaks.
///
/// Pure. A position covers what was handed on, and nothing else: an answer that names the room's head does not move it,
/// the messages up to there do.
package struct Streams: Sendable {
    /// The decision on a message that has arrived.
    package enum Verdict: Hashable, Sendable {
        case pass(Position)
        /// What lies between was never sent: the user is told before getting this one.
        case passAfterGap(Position, gap: Position)
        /// It has no number of its own: the stream stays at this position.
        case passUnstored(Position)
        /// Seen already, or to come again in its place.
        case drop
    }

    /// The requests to a new connection that bring a client's streams up to date.
    package struct CatchUp: Equatable, Sendable {
        /// For one `resume`; nil where the session was not taken up.
        package var resume: [RoomName: ClientPosition]?
        /// To be joined with the position they have.
        package var joins: [RoomName]
    }

    /// The outcome of `resume` for one room.
    package enum Outcome: Equatable, Sendable {
        /// The stream goes on; the room stands at this position.
        case resumed(RoomName, Position)
        /// It goes on after this position, and something before it is lost.
        case lost(RoomName, Position)
        case refused(RoomName, ErrorCode)
        /// The session does not know the room, or could not bring it back just now: it is to be joined.
        case join(RoomName)
        /// The session has a room that the user has left.
        case leave(RoomName)
    }

    private struct Stream {
        var position: Position
        /// To be joined again; of no meaning to the inbox and `*`.
        var isWanted = true
        /// Where the room stood when its newest messages, or all that the log holds, were asked for, until the first one
        /// comes: whatever it is, nothing is missing up to here.
        var head = 0
        /// Whether messages are handed on: not between a new connection and the answer that says where it goes on.
        var isLive = true
    }

    private var streams: [RoomName: Stream] = [:]

    package init() {}

    /// Up to where the room's stream was handed on; nil for a room that was not joined.
    package func position(of room: RoomName) -> Position? { streams[room]?.position }

    /// Whether the room is joined, or will be again.
    package func wants(_ room: RoomName) -> Bool { streams[room]?.isWanted ?? false }

    /// Whether the room is joined on this connection.
    package func isLive(_ room: RoomName) -> Bool { streams[room]?.isLive ?? false }

    // MARK: Connections

    /// The connection is gone.
    package mutating func disconnected() {
        for room in streams.keys { streams[room]?.isLive = false }
        streams = streams.filter { $0.value.isWanted }
    }

    /// - Parameters:
    ///   - positions: of the streams that every connection has by itself, as `welcome` told them.
    ///   - maxBytes: of a `resume`; what does not fit is joined.
    package mutating func welcomed(
        resumed: Bool, positions: [(room: RoomName, position: Position)], maxBytes: Int
    ) -> CatchUp {
        disconnected()
        for (room, position) in positions {
            if streams[room] == nil { streams[room] = Stream(position: position, isLive: !resumed) }
            // Without the session it is live from that position on; elsewhere something was missed.
            if !resumed, streams[room]?.position == position { streams[room]?.isLive = true }
        }
        let waiting = streams.filter { !$0.value.isLive }
        guard resumed else { return CatchUp(resume: nil, joins: Array(waiting.keys)) }
        var resume: [RoomName: ClientPosition] = [:]
        var joins: [RoomName] = []
        var bytes = 0
        for (room, stream) in waiting {
            // Names may double by their escapes; punctuation and the number are below 64 bytes.
            bytes += 2 * room.string.utf8.count + 2 * stream.position.epoch.utf8.count + 64
            if bytes <= maxBytes {
                resume[room] = ClientPosition(stream.position)
            } else {
                joins.append(room)
            }
        }
        return CatchUp(resume: resume, joins: joins)
    }

    /// - Parameter asked: what the `resume` named.
    package mutating func resumed(_ rooms: [ResumedRoom], asked: [RoomName: ClientPosition]) -> [Outcome] {
        var missing = asked
        var outcomes: [Outcome] = []
        for entry in rooms {
            let since = missing.removeValue(forKey: entry.room)
            guard wants(entry.room) else {
                if case .joined = entry.outcome { outcomes.append(.leave(entry.room)) }
                continue
            }
            // One that did not fit into the frame is joined, and says then where it goes on.
            guard let since else { continue }
            switch entry.outcome {
            case .joined(let position, let recovered):
                let isWhole = goOn(entry.room, from: since, at: position, recovered: recovered)
                if !isLive(entry.room) {
                    outcomes.append(.join(entry.room))
                } else {
                    outcomes.append(isWhole ? .resumed(entry.room, position) : .lost(entry.room, position))
                }
            case .refused(.forbidden):
                streams[entry.room] = nil
                outcomes.append(.refused(entry.room, .forbidden))
            // All but a right that is gone may have passed: what holds is said to a join.
            case .refused:
                outcomes.append(.join(entry.room))
            }
        }
        for room in missing.keys where wants(room) { outcomes.append(.join(room)) }
        return outcomes
    }

    // MARK: Rooms

    /// Answers whether nothing was lost since the position that was asked with, as far as this answer tells: a room that is
    /// not live after it is to be joined once more.
    package mutating func joined(_ joined: Joined, since: ClientPosition?) -> Bool {
        guard let since else {
            // Joining again without a position changes nothing about what is owed.
            if !isLive(joined.room) { streams[joined.room] = Stream(position: joined.position) }
            streams[joined.room]?.isWanted = true
            return true
        }
        return goOn(joined.room, from: since, at: joined.position, recovered: joined.recovered)
    }

    /// The room is not to be joined again; its messages still count until it is left.
    package mutating func unwanted(_ room: RoomName) {
        streams[room]?.isWanted = false
        if streams[room]?.isLive == false { streams[room] = nil }
    }

    package mutating func left(_ room: RoomName) { streams[room] = nil }

    private mutating func goOn(
        _ room: RoomName, from since: ClientPosition, at head: Position, recovered: Bool
    ) -> Bool {
        let stream = streams[room].flatMap { ClientPosition($0.position) == since ? $0 : nil }
        if !recovered, let stream, stream.head > 0 {
            // The log has not all that was to come first, and perhaps never had: it may have all that came since.
            let first = Position(epoch: stream.position.epoch, seq: stream.head)
            streams[room] = Stream(position: first, isLive: false)
            return true
        }
        // The gateway has found the position good, under whatever epoch, so it is good under the present one.
        let position = recovered ? Position(epoch: head.epoch, seq: since.seq(at: head.seq)) : head
        // Nobody has a position without an epoch who has seen something.
        let first = since.seq <= 0 && since.epoch == nil ? head.seq : stream?.head ?? 0
        streams[room] = Stream(position: position, head: recovered ? first : 0)
        return recovered
    }

    // MARK: What comes

    package mutating func received(_ message: RoomMessage) -> Verdict {
        guard let stream = streams[message.room] else {
            // A room that was left; of what every connection has by itself nothing is dropped.
            return Streams.isOwn(message.room) ? .pass(Position(epoch: "", seq: message.seq)) : .drop
        }
        // Not stored, so it will not come again.
        if message.seq == 0 { return .passUnstored(stream.position) }
        guard stream.isLive, message.seq > stream.position.seq else { return .drop }
        let position = Position(epoch: stream.position.epoch, seq: message.seq)
        streams[message.room]?.position = position
        streams[message.room]?.head = 0
        guard message.seq <= max(stream.position.seq, stream.head) + 1 else {
            return .passAfterGap(position, gap: Position(epoch: position.epoch, seq: message.seq - 1))
        }
        return .pass(position)
    }

    /// A message left this connection out: it is not missing.
    package mutating func seen(_ room: RoomName, upTo seq: Int) {
        guard let stream = streams[room], stream.isLive, seq > stream.position.seq else { return }
        streams[room]?.position.seq = seq
        streams[room]?.head = 0
    }

    /// Answers whether the user is to be told: not where an answer to come will say it.
    package mutating func gap(in room: RoomName, at position: Position) -> Bool {
        // One that every connection has by itself may come after `welcome`, which then left its position out.
        if streams[room] == nil, Streams.isOwn(room) { streams[room] = Stream(position: position) }
        guard isLive(room) else { return false }
        streams[room]?.position = position
        streams[room]?.head = 0
        return true
    }

    /// Whether every connection has this one by itself.
    private static func isOwn(_ room: RoomName) -> Bool { room.isInbox || room.isEveryone }

    /// Answers whether the user is to be told.
    package mutating func epoch(of room: RoomName, at position: Position) -> Bool {
        guard isLive(room) else { return false }
        streams[room]?.position.epoch = position.epoch
        return true
    }
}
