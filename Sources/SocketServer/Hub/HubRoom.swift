import GatewayCore
import NIOCore

/// A connection's number within its hub.
typealias ConnectionNumber = UInt64

/// One room as one hub knows it: who listens, who is about to, and where the room stands. It belongs to the hub's event loop.
final class HubRoom {
    let name: RoomName
    private(set) var members: [SocketHandler] = []
    /// Where in `members` each one stands, so that leaving a large room costs no search.
    private var slots: [ConnectionNumber: Int] = [:]
    /// Who has asked to follow and has no answer yet.
    var pending: [ConnectionNumber: FollowTicket] = [:]
    /// What every member has been sent, or is in `outgoing`.
    var position: Position?
    /// Finished frames for all members, sent at the end of the turn or when who is a member changes.
    var outgoing: ByteBuffer?
    /// Messages in `outgoing`.
    var outgoingMessages = 0

    init(name: RoomName) {
        self.name = name
    }

    var isEmpty: Bool { members.isEmpty && pending.isEmpty }

    func add(_ member: SocketHandler) {
        guard slots[member.number] == nil else { return }
        slots[member.number] = members.count
        members.append(member)
    }

    func remove(_ number: ConnectionNumber) {
        guard let slot = slots.removeValue(forKey: number), let last = members.popLast(), last.number != number else {
            return
        }
        members[slot] = last
        slots[last.number] = slot
    }
}
