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
    /// Users of whose events only is known that each changes what was told before it, and the last one leaves what is true.
    private(set) var uncertain: Set<String> = []
    /// How often each user can have gone offline in this round: as often as no connection was left of which Redis was told.
    private(set) var falls: [String: Int] = [:]
    /// Whether the server that has what is done now will be lost with it: each event of that may be missing then, or be told
    /// in another way; but whoever is connected all the while goes offline for none of it.
    var willBeLost = false
    /// Slots whose node cannot reach Redis, or comes to it in no order that is known: what it holds may be swept.
    private(set) var unreachable: Set<Int> = []

    func live(_ user: String) -> Int { connections.values.count { $0.user == user } }

    func present(_ user: String, in room: String) -> Int {
        connections.values.count { $0.user == user && $0.rooms.contains(room) }
    }

    var online: Set<String> { Set(connections.values.map(\.user)) }

    func members(of room: String) -> [String: Int] {
        connections.values.filter { $0.rooms.contains(room) }.reduce(into: [:]) { $0[$1.user, default: 0] += 1 }
    }

    mutating func connect(_ id: String, _ user: String, slot: Int) {
        touch(user)
        if live(user) == 0 { expected[user, default: []].append("user.online \(user)") }
        connections[id] = Connection(slot: slot, user: user)
    }

    mutating func join(_ id: String, _ room: String) {
        guard let user = connections[id]?.user else { return }
        touch(user)
        if present(user, in: room) == 0 { expected[user, default: []].append("member.joined \(user) \(room)") }
        connections[id]?.rooms.insert(room)
    }

    mutating func leave(_ id: String, _ room: String, cause: String = "explicit") {
        guard let user = connections[id]?.user, connections[id]?.rooms.remove(room) != nil else { return }
        touch(user)
        if present(user, in: room) == 0 { expected[user, default: []].append("member.left \(user) \(room) \(cause)") }
    }

    mutating func close(_ id: String, isAbrupt: Bool) {
        guard let connection = connections[id] else { return }
        touch(connection.user)
        if isAbrupt { lost[id] = connection }
        for room in connection.rooms { leave(id, room, cause: "closed") }
        connections[id] = nil
        countFall(of: connection.user)
        if live(connection.user) == 0 {
            expected[connection.user, default: []].append("user.offline \(connection.user) closed")
        }
        if isAbrupt { uncertain.insert(connection.user) }
    }

    /// These nodes cannot reach Redis from here on, or not all the time: nothing exact can be said in this round of those
    /// who are there.
    mutating func doubt(slot: Int) {
        unreachable.insert(slot)
        for user in Set(connections.values.filter { $0.slot == slot }.map(\.user)) {
            uncertain.insert(user)
            countFall(of: user)
        }
    }

    /// From here on calls wait, at whatever node: nothing exact can be said of those for whom one is made.
    mutating func stop(slots: Int) { unreachable = Set(0..<slots) }

    /// All nodes do what they are asked again.
    mutating func goOn() { unreachable = [] }

    mutating func doubt(_ user: String) {
        uncertain.insert(user)
        falls[user, default: 0] += 1
    }

    /// `next` goes on with what `id` was: no event, where that lives on a node that can be reached.
    mutating func resume(_ id: String, as next: String, slot: Int, rooms: Set<String>) {
        guard let connection = connections.removeValue(forKey: id) ?? lost.removeValue(forKey: id) else { return }
        touch(connection.user)
        connections[next] = Connection(slot: slot, user: connection.user, rooms: rooms)
    }

    mutating func kill(slot: Int) {
        let killed = connections.filter { $0.value.slot == slot }
        lost.merge(killed) { $1 }
        connections = connections.filter { $0.value.slot != slot }
        for user in Set(killed.values.map(\.user)) {
            uncertain.insert(user)
            countFall(of: user)
        }
    }

    mutating func forgetRound() {
        expected = [:]
        uncertain = []
        falls = [:]
        willBeLost = false
        goOn()
    }

    private mutating func touch(_ user: String) {
        if willBeLost { uncertain.insert(user) }
    }

    /// A connection of the user has gone, or its node may be taken for dead.
    private mutating func countFall(of user: String) {
        let isThere = connections.values.contains { $0.user == user && !unreachable.contains($0.slot) }
        if !isThere { falls[user, default: 0] += 1 }
    }
}
