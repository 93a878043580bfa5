import Dialects
import GatewayCore
import NIOCore

/// The members of one room that speak another dialect than the gateway's own: all of them the same. It belongs to the hub's
/// event loop.
///
/// What the room is told is encoded for them once. One that has just entered may have to wait for something else first: what
/// comes meanwhile is kept for it, up to a bound, beyond which it is closed.
final class OtherMembers {
    private enum Waiting {
        case frames(ByteBuffer)
        case steps(RosterPortion, WrittenSteps)
    }

    private struct Kept {
        var waiting: [Waiting] = []
        var bytes = 0
    }

    let dialect: any Dialect
    private var list = ConnectionList<SocketHandler>()
    private var kept: [ConnectionNumber: Kept] = [:]
    /// Those who have read the roster further than it has been told.
    private var ahead: [ConnectionNumber: Int64] = [:]
    /// Those who have not been told how many connections there are, where the dialect has a word for it.
    private var uncounted: [ConnectionNumber: SocketHandler] = [:]
    /// Nil where nobody is told who is there.
    var roster: ToldRoster?
    /// Finished frames for all of them, sent with those of the room's other members.
    var outgoing: ByteBuffer?
    /// Messages in `outgoing`.
    var outgoingMessages = 0

    /// Room for a thousand members with the longest info, who all come while it waits.
    private static let mostKeptBytes = 4 << 20

    init(dialect: any Dialect) {
        self.dialect = dialect
    }

    var members: [SocketHandler] { list.members }
    var isEmpty: Bool { list.isEmpty }

    func contains(_ number: ConnectionNumber) -> Bool { list.contains(number) }

    /// - Parameter isKept: whether what comes is kept for it until it is released.
    func add(_ member: SocketHandler, isKept: Bool) {
        _ = list.add(member)
        if isKept { kept[member.number] = Kept() } else if dialect.tellsCounts { uncounted[member.number] = member }
    }

    func remove(_ number: ConnectionNumber) {
        _ = list.remove(number)
        kept[number] = nil
        ahead[number] = nil
        uncounted[number] = nil
    }

    // MARK: How many there are

    /// Who is to be told that has changed: all of them.
    func takeAll() -> [SocketHandler] {
        uncounted = [:]
        return members
    }

    /// Who has not been told of any number, and is now.
    func takeUncounted() -> [SocketHandler] {
        defer { uncounted = [:] }
        return Array(uncounted.values)
    }

    // MARK: Frames

    func write(_ frames: ByteBuffer, to member: SocketHandler) {
        if !keeps(.frames(frames), frames.readableBytes, for: member) { member.write(frames) }
    }

    /// Keeps something for one that waits; false for one that does not.
    private func keeps(_ waiting: @autoclosure () -> Waiting, _ bytes: Int, for member: SocketHandler) -> Bool {
        guard !kept.isEmpty, let place = kept.index(forKey: member.number) else { return false }
        // In its place: a copy would grow with each.
        kept.values[place].waiting.append(waiting())
        kept.values[place].bytes += bytes
        if kept.values[place].bytes > OtherMembers.mostKeptBytes { member.closeSlow(.tooMuch) }
        return true
    }

    // MARK: The roster

    /// Tells all of them of steps, each only of what it does not know, and nobody of its own user.
    ///
    /// - Parameter known: the version up to which those know the roster who are not ahead.
    /// - Returns: those who cannot be told, since it is not known what they lack.
    func tell(_ steps: RosterPortion, _ written: WrittenSteps, from known: Int64) -> [SocketHandler] {
        let room = steps.change.room
        let users = Set(steps.change.events.map(\.userId))
        var lost: [SocketHandler] = []
        for member in members {
            if keeps(.steps(steps, written), written.whole.readableBytes, for: member) { continue }
            let version = ahead.isEmpty ? known : ahead[member.number] ?? known
            let user = member.machine.user(in: room)
            if version <= steps.last { ahead[member.number] = nil }
            // Nearly all: what they are told is looked at no further.
            if version <= steps.first, steps.isKnown, user.map({ !users.contains($0) }) ?? true {
                if written.whole.readableBytes > 0 { member.write(written.whole) }
                continue
            }
            guard let events = steps.events(after: version) else {
                lost.append(member)
                continue
            }
            for part in written.frames(of: events.filter { $0.userId != user }) { member.write(part) }
        }
        return lost
    }

    /// Whether one that waits and has read the roster cannot be told what comes behind that: steps were lost, and what has
    /// changed instead is about to be told, or was, to those who know less.
    func mustReadAgain(_ member: SocketHandler, knows version: Int64) -> Bool {
        guard let waiting = kept[member.number]?.waiting else { return false }
        if let roster, roster.isBehind, version > roster.version { return true }
        var known = version
        for case .steps(let portion, _) in waiting {
            guard portion.leadsOn(from: known) else { return true }
            known = max(known, portion.last)
        }
        return false
    }

    /// From here on one of them is told what comes; answers what was kept for it, but for steps of the roster that it knows.
    ///
    /// - Parameter version: of the roster that it has been told.
    /// - Returns: nil where it cannot be told what it lacks.
    func release(_ member: SocketHandler, who read: [Member], knows version: Int64) -> ByteBuffer? {
        var frames = ByteBuffer()
        var known = version
        var steps: [RosterEvent] = []
        for waiting in kept.removeValue(forKey: member.number)?.waiting ?? [] {
            switch waiting {
            case .frames(let bytes): frames.writeImmutableBuffer(bytes)
            case .steps(let portion, let written):
                guard let events = portion.events(after: known) else { return nil }
                let user = member.machine.user(in: portion.change.room)
                for part in written.frames(of: events.filter { $0.userId != user }) {
                    frames.writeImmutableBuffer(part)
                }
                steps += events
                known = max(known, portion.last)
            }
        }
        if roster?.begin(with: read) == true { roster?.apply(steps) }
        if known > roster?.version ?? .max { ahead[member.number] = known }
        return frames
    }
}
