import GatewayCore
import NIOCore

/// A connection's number within its hub.
typealias ConnectionNumber = UInt64

/// One room as one hub knows it: who listens, who is about to, and where the room stands. It belongs to the hub's event loop.
///
/// There is one for each inbox, so an empty one must be small.
final class HubRoom {
    let name: RoomName
    private(set) var members: [SocketHandler] = []
    /// Where in `members` each one stands, so that leaving a large room costs no search; empty while a search is as cheap.
    private var slots: [ConnectionNumber: Int] = [:]
    /// Who is no member yet: without an answer from the stream, without a word from the session, or not caught up.
    private(set) var pending: [ConnectionNumber: Listener] = [:]
    /// What every member has been sent, or is in `outgoing`.
    var position: Position?
    /// The last one told or answered; nil where none is kept.
    var roster: RosterState?
    /// Changes of the roster that wait for others; nil while there are none.
    var bundle: RosterBundle?
    /// Finished frames for all members, sent at the end of the turn or when who is a member changes.
    var outgoing: ByteBuffer?
    /// What members that take compressed frames get in its place; nil where that is the same.
    var compressed: CompressedFrames?
    /// Members that take compressed frames.
    private(set) var compressingMembers: Int32 = 0
    /// Messages in `outgoing`.
    var outgoingMessages = 0

    private static let searchedMembers = 16

    init(name: RoomName) {
        self.name = name
    }

    var isEmpty: Bool { members.isEmpty && pending.isEmpty }

    // MARK: Members

    func add(_ member: SocketHandler) {
        guard slot(of: member.number) == nil else { return }
        members.append(member)
        if member.isCompressing { compressingMembers += 1 }
        if !slots.isEmpty {
            slots[member.number] = members.count - 1
        } else if members.count > HubRoom.searchedMembers {
            for (slot, member) in members.enumerated() { slots[member.number] = slot }
        }
    }

    func remove(_ number: ConnectionNumber) {
        guard let slot = slot(of: number) else { return }
        slots[number] = nil
        if members[slot].isCompressing { compressingMembers -= 1 }
        let last = members.removeLast()
        guard last.number != number else { return }
        members[slot] = last
        if !slots.isEmpty { slots[last.number] = slot }
    }

    private func slot(of number: ConnectionNumber) -> Int? {
        slots.isEmpty ? members.firstIndex { $0.number == number } : slots[number]
    }

    // MARK: Listeners

    func await(_ listener: Listener) {
        pending[listener.connection.number] = listener
    }

    @discardableResult
    func stopAwaiting(_ number: ConnectionNumber) -> Listener? {
        guard let listener = pending.removeValue(forKey: number) else { return nil }
        // An emptied dictionary would keep its storage.
        if pending.isEmpty { pending = [:] }
        return listener
    }
}
