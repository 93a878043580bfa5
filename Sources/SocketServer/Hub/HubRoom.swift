import GatewayCore
import NIOCore

/// One room as one hub knows it: who listens, who is about to, and where the room stands. It belongs to the hub's event loop.
///
/// There is one for each inbox, so an empty one must be small.
final class HubRoom: RoomStanding {
    let name: RoomName
    private var list = ConnectionList<SocketHandler>()
    /// Who is no member yet.
    private(set) var pending = PendingListeners<SocketHandler, HubRoom>()
    /// What every member has been sent, or is in `outgoing`.
    var position: Position?
    /// The last one told or answered; nil where none is kept.
    var roster: RosterState?
    /// By the settings that were told or answered last.
    private(set) var outlook = RoomOutlook()
    /// Steps of the roster that wait for others; nil where none came within the last second.
    var bundle: RosterBundle?
    /// Finished frames for all members, sent at the end of the turn or when who is a member changes.
    var outgoing: ByteBuffer?
    /// What members that take compressed frames get in its place; nil where that is the same.
    var compressed: CompressedFrames?
    /// Members that take compressed frames.
    private(set) var compressingMembers: Int32 = 0
    /// Gone out to the members, and not taken out of the room's budget yet.
    var unchargedKilobytes: Int32 = 0
    /// Messages in `outgoing`.
    var outgoingMessages = 0

    init(name: RoomName) {
        self.name = name
    }

    var members: [SocketHandler] { list.members }
    var isEmpty: Bool { list.isEmpty && pending.isEmpty }

    /// What every member has been sent: `position` without the messages in `outgoing`, whose numbers have no holes.
    var sentPosition: Position? {
        position.map { Position(epoch: $0.epoch, seq: $0.seq - outgoingMessages) }
    }

    /// These settings hold from here on.
    func govern(by state: RoomState?) { outlook.govern(by: state) }

    // MARK: Members

    func add(_ member: SocketHandler) {
        if list.add(member), member.isCompressing { compressingMembers += 1 }
    }

    func remove(_ number: ConnectionNumber) {
        if list.remove(number)?.isCompressing == true { compressingMembers -= 1 }
    }

    func hasMember(_ number: ConnectionNumber) -> Bool { list.contains(number) }

    // MARK: Listeners

    /// - Returns: the one whose question is of no interest any more.
    func await(_ listener: Listener) -> Listener? { pending.add(listener) }

    /// - Returns: the one that was being caught up until now.
    func begin(_ number: ConnectionNumber) -> Listener? { pending.begin(number) }

    /// One has become a member, or its question has failed.
    func stopAwaiting(_ listener: Listener) { pending.remove(listener) }

    /// - Returns: all that the connection had on the way.
    func stopAwaiting(_ number: ConnectionNumber) -> [Listener] { pending.remove(number) }
}
