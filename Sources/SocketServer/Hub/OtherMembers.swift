import Dialects
import GatewayCore
import NIOCore

/// The members of one room that speak another dialect than the gateway's own: all of them the same. It belongs to the hub's
/// event loop.
///
/// What the room is told is encoded for them once. One that has just entered may have to wait for something else first: what
/// comes meanwhile is kept for it, up to a bound, beyond which it is closed.
final class OtherMembers {
    private struct Kept {
        var frames: [(bytes: ByteBuffer, version: Int64?)] = []
        var bytes = 0
    }

    let dialect: any Dialect
    private var list = ConnectionList<SocketHandler>()
    private var kept: [ConnectionNumber: Kept] = [:]
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
        if isKept { kept[member.number] = Kept() }
    }

    func remove(_ number: ConnectionNumber) {
        _ = list.remove(number)
        kept[number] = nil
    }

    /// - Parameter version: of the roster, where the frames tell of its steps up to that one.
    func write(_ frames: ByteBuffer, to member: SocketHandler, version: Int64? = nil) {
        guard kept[member.number] != nil else { return member.write(frames) }
        // In its place: a copy would grow with each.
        kept[member.number]?.frames.append((frames, version))
        kept[member.number]?.bytes += frames.readableBytes
        if kept[member.number]?.bytes ?? 0 > OtherMembers.mostKeptBytes { member.closeSlow(.tooMuch) }
    }

    /// From here on one of them is sent what comes; answers what was kept for it, but for steps of the roster that it knows.
    func release(_ number: ConnectionNumber, knows version: Int64) -> ByteBuffer {
        var frames = ByteBuffer()
        for waiting in kept.removeValue(forKey: number)?.frames ?? []
        where waiting.version.map({ $0 > version }) ?? true {
            frames.writeImmutableBuffer(waiting.bytes)
        }
        return frames
    }
}
