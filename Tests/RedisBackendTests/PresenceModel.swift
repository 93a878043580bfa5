/// What should be true, kept in memory while the same is done to real nodes.
struct PresenceModel {
    struct Connection {
        let slot: Int
        let user: String
        var rooms: Set<String> = []
    }

    private(set) var connections: [String: Connection] = [:]
    /// Lost or killed with their node, and not yet gone on with.
    private(set) var lost: [String: Connection] = [:]
    /// Since the last `forgetRound`: the events that must have been told of each user, while it is certain.
    private(set) var expected: [String: [String]] = [:]
    /// Users whose events depend on when a grace or a lease ended.
    private(set) var uncertain: Set<String> = []
    /// What happened to each user in this round: none can have gone offline more often.
    private(set) var happenings: [String: Int] = [:]

    func live(_ user: String) -> Int { connections.values.count { $0.user == user } }

    func present(_ user: String, in room: String) -> Int {
        connections.values.count { $0.user == user && $0.rooms.contains(room) }
    }

    var online: Set<String> { Set(connections.values.map(\.user)) }

    func members(of room: String) -> [String: Int] {
        connections.values.filter { $0.rooms.contains(room) }.reduce(into: [:]) { $0[$1.user, default: 0] += 1 }
    }

    mutating func connect(_ id: String, _ user: String, slot: Int) {
        happenings[user, default: 0] += 1
        if live(user) == 0 { expected[user, default: []].append("user.online \(user)") }
        connections[id] = Connection(slot: slot, user: user)
    }

    mutating func join(_ id: String, _ room: String) {
        guard let user = connections[id]?.user else { return }
        happenings[user, default: 0] += 1
        if present(user, in: room) == 0 { expected[user, default: []].append("member.joined \(user) \(room)") }
        connections[id]?.rooms.insert(room)
    }

    mutating func leave(_ id: String, _ room: String, cause: String = "explicit") {
        guard let user = connections[id]?.user, connections[id]?.rooms.remove(room) != nil else { return }
        happenings[user, default: 0] += 1
        if present(user, in: room) == 0 { expected[user, default: []].append("member.left \(user) \(room) \(cause)") }
    }

    mutating func close(_ id: String, isAbrupt: Bool) {
        guard let connection = connections[id] else { return }
        if isAbrupt { lost[id] = connection }
        for room in connection.rooms { leave(id, room, cause: "closed") }
        connections[id] = nil
        happenings[connection.user, default: 0] += 1
        if live(connection.user) == 0 {
            expected[connection.user, default: []].append("user.offline \(connection.user) closed")
        }
        if isAbrupt { uncertain.insert(connection.user) }
    }

    /// From here on nothing exact can be said of those who are on this node in this round.
    mutating func doubt(slot: Int) {
        for connection in connections.values where connection.slot == slot { doubt(connection.user) }
    }

    mutating func doubt(_ user: String) {
        uncertain.insert(user)
        happenings[user, default: 0] += 1
    }

    /// `next` goes on with what `id` was: no event, where that lives on a node that can be reached.
    mutating func resume(_ id: String, as next: String, slot: Int, rooms: Set<String>) {
        guard let connection = connections.removeValue(forKey: id) ?? lost.removeValue(forKey: id) else { return }
        happenings[connection.user, default: 0] += 1
        connections[next] = Connection(slot: slot, user: connection.user, rooms: rooms)
    }

    mutating func kill(slot: Int) {
        doubt(slot: slot)
        lost.merge(connections.filter { $0.value.slot == slot }) { $1 }
        connections = connections.filter { $0.value.slot != slot }
    }

    mutating func forgetRound() {
        expected = [:]
        uncertain = []
        happenings = [:]
    }
}
