import GatewayCore
import NIOCore

/// One room as one hub knows it: who listens, who is about to, and where the room stands. It belongs to the hub's event loop.
///
/// There is one for each inbox, so an empty one must be small.
final class HubRoom: RoomStanding {
    let name: RoomName
    private var list = ConnectionList<SocketHandler>()
    /// Members that speak another dialect; nil where there are none.
    private(set) var others: OtherMembers?
    /// Who is no member yet.
    private(set) var pending = PendingListeners<SocketHandler, HubRoom>()
    /// What every member has been sent, or is in `outgoing`.
    var position: Position?
    /// What there is of the roster, without whoever joined.
    private var standing: (version: Int64, timestamp: Int64, members: Int32)?
    /// Nil in a room without settings, as nearly all are.
    private var governed: Governed?
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
    /// Its place among those of which whoever keeps account is to be told; -1 where it is none of them.
    var spendingPlace: Int32 = -1
    /// Messages in `outgoing`.
    var outgoingMessages: Int32 = 0

    /// On the heap, so that a room without settings is small.
    private final class Governed {
        var outlook = RoomOutlook()
    }

    init(name: RoomName) {
        self.name = name
    }

    /// The last one told or answered; nil where none is kept.
    var roster: RosterState? {
        get {
            standing.map { RosterState(members: Int($0.members), version: $0.version, timestamp: $0.timestamp) }
        }
        set { standing = newValue.map { ($0.version, $0.timestamp, Int32(clamping: $0.members)) } }
    }

    var isGoverned: Bool { governed != nil }

    /// By the settings that were told or answered last.
    var outlook: RoomOutlook { governed?.outlook ?? RoomOutlook() }

    /// Those that speak the gateway's own dialect.
    var members: [SocketHandler] { list.members }
    var isEmpty: Bool { list.isEmpty && pending.isEmpty && others == nil }
    /// Whether anybody is told of what happens here.
    var hasMembers: Bool { !list.isEmpty || others != nil }
    /// Whatever they speak.
    var memberCount: Int { list.members.count + (others?.members.count ?? 0) }
    var allMembers: [SocketHandler] { list.members + (others?.members ?? []) }

    /// What every member has been sent: `position` without the messages in `outgoing`, whose numbers have no holes.
    var sentPosition: Position? {
        position.map { Position(epoch: $0.epoch, seq: $0.seq - Int(outgoingMessages)) }
    }

    /// These settings hold from here on.
    func govern(by state: RoomState?) {
        guard state != nil || governed != nil else { return }
        let governed = governed ?? Governed()
        governed.outlook.govern(by: state)
        self.governed = state == nil ? nil : governed
    }

    // MARK: Members

    func add(_ member: SocketHandler) {
        if list.add(member), member.isCompressing { compressingMembers += 1 }
    }

    /// One that speaks another dialect, which is that of all such members.
    func addOther(_ member: SocketHandler, isKept: Bool) {
        guard let dialect = member.dialect else { return add(member) }
        let others = others ?? OtherMembers(dialect: dialect)
        others.add(member, isKept: isKept)
        self.others = others
    }

    func remove(_ number: ConnectionNumber) {
        if let others {
            others.remove(number)
            if others.isEmpty { self.others = nil }
        }
        if list.remove(number)?.isCompressing == true { compressingMembers -= 1 }
    }

    func hasMember(_ number: ConnectionNumber) -> Bool {
        list.contains(number) || others?.contains(number) == true
    }

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
