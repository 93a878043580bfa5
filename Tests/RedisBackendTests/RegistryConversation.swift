import GatewayCore

import RedisBackend

/// A talk with the registration machine of one node, whose clock the test moves.
final class RegistryConversation {
    typealias Machine = RegistrationMachine

    let settings: PresenceSettings
    private var machine: RegistrationMachine
    private(set) var now = MonotonicTime(nanoseconds: 1_000_000_000)
    private var ticket = 0

    init(
        _ settings: PresenceSettings = PresenceSettings(), seal: SessionSeal = SessionSeal(), goesByFences: Bool = false
    ) {
        self.settings = settings
        machine = RegistrationMachine(
            nodeId: "n1", settings: settings, rules: RoomRules(), seal: seal, goesByFences: goesByFences)
    }

    /// One whose node is in the index and whose link stands, with nothing to be registered again.
    static func standing(
        _ settings: PresenceSettings = PresenceSettings(), goesByFences: Bool = false
    ) -> RegistryConversation {
        let talk = RegistryConversation(settings, goesByFences: goesByFences)
        _ = talk.linked()
        _ = talk.registered(1)
        return talk
    }

    var underWay: Int { machine.underWay }

    func takeRepairs() -> Int { machine.takeRepairs() }

    func pass(_ time: Duration) { now = now + time }

    func isHeld(_ id: String) -> Bool { machine.held[id] != nil }

    func session(of id: String) -> SessionID? { machine.held[id]?.registrant?.session }

    // MARK: What is told

    func linked(_ partitions: PartitionSet = .all) -> [Machine.Action] {
        settled(machine.linked(partitions, now: now))
    }

    func linkLost(_ partitions: PartitionSet = .all) { machine.linkLost(partitions) }

    func clockStepped() { machine.clockStepped() }

    func channelsRenewed(_ partitions: PartitionSet) -> [Machine.Action] {
        machine.channelsRenewed(partitions, now: now)
    }

    func lost() { machine.lost() }

    /// Without what follows for partitions in which nothing is held: older incarnations are renounced.
    func registered(_ incarnation: Int64) -> [Machine.Action] {
        settled(machine.registered(incarnation, sent: now, now: now))
    }

    func beaten(sent: MonotonicTime? = nil, marks: Int64 = 0) -> [Machine.Action] {
        settled(machine.beaten(sent: sent ?? now, marks: marks, now: now))
    }

    func ticked() -> [Machine.Action] { machine.ticked(now: now) }

    func stopped() -> [Machine.Action] { machine.stopped() }

    func connect(_ id: String, _ user: String, resuming: String? = nil) -> [Machine.Action] {
        let connection = PresenceConnection(id: id, userId: UserID(unchecked: user), address: "")
        let resumption = resuming.map { text in
            SessionResumption(session: text, info: [UInt8]("{}".utf8)) { !$0.string.hasPrefix("secret") }
        }
        return machine.asked(
            .connect(connection, session: SessionID(of: connection.userId), resuming: resumption, next()), now: now)
    }

    func connectGuest(_ id: String) -> [Machine.Action] { machine.asked(.connectGuest(id), now: now) }

    func disconnect(_ id: String, _ departure: Departure) -> [Machine.Action] {
        machine.asked(.disconnect(id, departure), now: now)
    }

    func join(_ room: String, _ id: String, as member: String? = nil) -> [Machine.Action] {
        machine.asked(
            .join(
                RoomName(unchecked: room), connection: id, member: member.map(UserID.init(unchecked:)),
                info: [UInt8]("{}".utf8), next()), now: now)
    }

    func joinQuietly(_ room: String, _ id: String) -> [Machine.Action] {
        machine.asked(.joinQuietly(RoomName(unchecked: room), connection: id), now: now)
    }

    func attend(_ room: String, _ id: String) -> [Machine.Action] {
        machine.asked(.attend(RoomName(unchecked: room), connection: id), now: now)
    }

    func allowGuests(_ areAllowed: Bool) { machine.allowGuests(areAllowed) }

    func leave(_ room: String, _ id: String) -> [Machine.Action] {
        machine.asked(.leave(RoomName(unchecked: room), connection: id), now: now)
    }

    func signal(_ signal: Signal, _ id: String) -> [Machine.Action] {
        machine.asked(.signal(signal, connection: id, next()), now: now)
    }

    func state(_ state: UserState, _ id: String) -> [Machine.Action] {
        machine.asked(.setState(state, connection: id, next()), now: now)
    }

    func visibilityChanged(_ user: String, _ isInvisible: Bool) -> [Machine.Action] {
        machine.visibilityChanged(of: UserID(unchecked: user), isInvisible: isInvisible, now: now)
    }

    func answered(_ call: Machine.Call, _ answer: Machine.Answer) -> [Machine.Action] {
        settled(machine.answered(call, .success(answer), now: now))
    }

    func failed(_ call: Machine.Call) -> [Machine.Action] {
        machine.answered(call, .failure(.failed(.unavailable(reason: "the link broke"))), now: now)
    }

    // MARK: In short

    /// A connection that Redis has taken in.
    func enter(_ id: String, _ user: String, since: Int64 = 5) {
        for call in connect(id, user).calls {
            _ = answered(call, .connect(.registered(Connect.Registered(since: since, now: since))))
        }
    }

    /// A member that Redis has taken in.
    func enter(room: String, _ id: String) {
        for call in join(room, id).calls {
            for next in answered(call, .join(.joined(Self.roster, stream: nil))).calls { _ = answered(next, .done) }
        }
    }

    static let roster = RosterState(members: 1, version: 1, timestamp: 5)

    private func next() -> Int {
        ticket += 1
        return ticket
    }

    /// Has Redis take what a node without connections says of each partition.
    private func settled(_ actions: [Machine.Action]) -> [Machine.Action] {
        var rest: [Machine.Action] = []
        for action in actions {
            guard case .send(let call) = action, case .renounce = call else {
                rest.append(action)
                continue
            }
            renounced.append(call)
            rest += settled(machine.answered(call, .success(.done), now: now))
        }
        return rest
    }

    /// What the node has said of its older incarnations so far.
    private(set) var renounced: [Machine.Call] = []
}

extension [RegistrationMachine.Action] {
    /// What is asked of Redis, in order.
    var calls: [RegistrationMachine.Call] {
        compactMap { if case .send(let call) = $0 { call } else { nil } }
    }

    /// All else.
    var others: [RegistrationMachine.Action] {
        filter { if case .send = $0 { false } else { true } }
    }
}
