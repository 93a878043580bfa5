import GatewayCore
import Testing

import RedisBackend
import TestSupport

/// Nodes that are nothing but their rules, before a registry that is nothing but its own: every step one call carried out,
/// one answer delivered, or one thing gone wrong.
final class RegistryModelRun {
    typealias Machine = RegistrationMachine

    /// One node with its link.
    final class Node {
        let name: String
        var machine: RegistrationMachine
        /// Sent and not carried out, in order; whether again after a break.
        var sent: [(call: Machine.Call, isRepeated: Bool)] = []
        /// Carried out, their answers on the way.
        var done: [(call: Machine.Call, answer: Machine.Answer)] = []
        var lastIncarnation: Int64 = 0
        var lastBeat = MonotonicTime(nanoseconds: 0)
        /// It does not beat, and does nothing else.
        var isPaused = false
        /// Told to be closed; the sockets obey later.
        var closing: [String] = []
        var tickets: Set<Int> = []
        var nextTicket = 0
        /// Connections that were asked for, in order.
        var asked: [String] = []

        init(_ name: String, _ settings: PresenceSettings, _ rules: RoomRules, _ seal: SessionSeal) {
            self.name = name
            machine = RegistrationMachine(nodeId: name, settings: settings, rules: rules, seal: seal)
        }
    }

    private var generator: SplitMix
    private(set) var redis = RegistryModel()
    private var backups: [RegistryModel] = []
    private(set) var nodes: [Node] = []
    private var now = MonotonicTime(nanoseconds: 1_000_000_000)
    private let seal = SessionSeal()
    private let rules = RoomRules()
    let settings: PresenceSettings
    private var number = 0
    private(set) var steps = 0
    private(set) var answered = 0
    private(set) var resumed = 0
    /// Sessions as clients were told them, with their connection and user.
    private var shown: [(session: String, user: String)] = []
    private var failures: [String] = []
    private var doors = Doors()

    private static let users = (0..<6).map { "u\($0)" }
    private static let rooms = (0..<5).map { RoomName(unchecked: "r\($0)") }

    init(seed: UInt64, nodes count: Int) {
        generator = SplitMix(seed: seed)
        var settings = PresenceSettings()
        settings.comparison = .milliseconds(1)
        self.settings = settings
        _ = seal.agreed(on: seal.proposal)
        for number in 0..<count { nodes.append(start("n\(number)")) }
    }

    private func random(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    private func start(_ name: String) -> Node {
        let node = Node(name, settings, rules, seal)
        take(node.machine.linked(now: now), node)
        register(node)
        return node
    }

    // MARK: Steps

    func step() {
        steps += 1
        pass(.milliseconds(random(40)))
        let node = nodes[random(nodes.count)]
        switch random(1000) {
        case 0..<330: carryOut(node)
        case 330..<620: deliver(node)
        case 620..<700: beat(node)
        case 700..<720: if !node.isPaused { take(node.machine.ticked(now: now), node) }
        case 720..<735: redis.endGraces()
        case 735..<750: redis.sweep()
        case 750..<760: obey(node)
        case 760..<768: breakLink(node)
        case 768..<774: failOne(node)
        case 774..<779: node.isPaused.toggle()
        case 779..<782: declareDead(node)
        case 782..<784: fence(node)
        case 784: rollBack()
        case 785: kill(node)
        case 786: redis.forget(random(5), &generator)
        case 787: if backups.count < 3 { backups.append(redis) } else { backups[random(3)] = redis }
        case 788: redis.lockOrUnlock(Self.rooms[random(Self.rooms.count)])
        default: ask(node)
        }
    }

    private func pass(_ time: Duration) {
        now = now + time
        redis.pass(time.milliseconds)
    }

    private func ask(_ node: Node) {
        guard !node.isPaused else { return }
        node.asked.removeAll { node.machine.held[$0] == nil }
        let held = node.asked
        let choice = held.count < 4 ? 0 : held.count > 12 ? 60 + random(40) : random(100)
        let room = Self.rooms[random(Self.rooms.count)]
        guard choice >= 30, let id = held.isEmpty ? nil : held[random(held.count)] else { return connect(node) }
        switch choice {
        case 30..<60:
            let member = id.hasPrefix("g") || random(20) == 0 ? UserID(unchecked: Self.users[random(6)]) : nil
            let ticket = node.ticket()
            let info = [UInt8]("{}".utf8)
            ask(node, .join(room, connection: id, member: member, info: info, ticket))
        case 60..<68: ask(node, .leave(room, connection: id))
        case 68..<75: ask(node, .attend(room, connection: id))
        case 75..<90: ask(node, .disconnect(id, .farewell(.closed)))
        case 90..<98: ask(node, .disconnect(id, .abrupt(.lost)))
        default:
            let (from, to) = (UserID(unchecked: Self.users[random(6)]), UserID(unchecked: Self.users[random(6)]))
            ask(node, .signal(Signal(room: room, from: from, to: to, payload: []), connection: id, node.ticket()))
        }
    }

    private func connect(_ node: Node) {
        number += 1
        if random(12) == 0 {
            node.asked.append("g\(number)")
            return ask(node, .connectGuest("g\(number)"))
        }
        node.asked.append("c\(number)")
        var user = Self.users[random(Self.users.count)]
        var resumption: SessionResumption?
        if !shown.isEmpty, random(3) == 0 {
            let earlier = shown[random(shown.count)]
            user = earlier.user
            resumption = SessionResumption(session: earlier.session, info: []) { $0.string != "r4" }
        }
        let connection = PresenceConnection(id: "c\(number)", userId: UserID(unchecked: user), address: "")
        let session = SessionID(of: connection.userId)
        ask(node, .connect(connection, session: session, resuming: resumption, node.ticket()))
    }

    private func ask(_ node: Node, _ request: Machine.Request) {
        take(node.machine.asked(request, now: now), node)
    }

    private func take(_ actions: [Machine.Action], _ node: Node) {
        for action in actions {
            switch action {
            case .send(let call):
                if call.isWrite, now - node.lastBeat >= settings.lease {
                    failures.append("step \(steps): \(node.name) writes though its lease is over: \(call)")
                }
                node.sent.append((call, false))
            case .registered(let ticket, let result):
                answer(ticket, node)
                if case .success(let registration) = result {
                    resumed += registration.resumed == nil ? 0 : 1
                    note(registration.session)
                }
            case .joined(let ticket, _), .signalled(let ticket, _), .shown(let ticket, _): answer(ticket, node)
            // Nobody is put out of the model's rooms.
            case .putOut: break
            case .close(let id, _, _): node.closing.append(id)
            case .tellMarked(let names): for name in names { redis.marked[name, default: 0] += 1 }
            case .eraseMark(let id, let partition): redis.corners[partition.number].marks[id] = nil
            case .takeNewIncarnation(let incarnation, let fence):
                node.lastIncarnation = max(node.lastIncarnation, incarnation, fence)
                register(node)
            case .renew(let renewal): redis.renew(renewal)
            case .expectInbox, .inboxStands, .roomStands, .tellNewcomers, .registeredAgain: break
            }
        }
    }

    private func answer(_ ticket: Int, _ node: Node) {
        answered += 1
        if node.tickets.remove(ticket) == nil { failures.append("step \(steps): \(ticket) is answered twice") }
    }

    private func note(_ session: String) {
        guard let id = seal.open(session), let user = redis.sessions[id]?.user.string, !user.isEmpty else { return }
        shown.append((session, user))
        if shown.count > 40 { shown.removeFirst(20) }
    }

    // MARK: The link and the beat

    private func carryOut(_ node: Node) {
        guard !node.sent.isEmpty else { return }
        let next = node.sent.removeFirst()
        let answer = redis.answer(next.call, isRepeated: next.isRepeated)
        if let failure = doors.failure(of: next.call, answer) { failures.append("step \(steps): \(failure)") }
        node.done.append((next.call, answer))
    }

    private func deliver(_ node: Node) {
        guard !node.done.isEmpty, !node.isPaused else { return }
        let next = node.done.removeFirst()
        take(node.machine.answered(next.call, .success(next.answer), now: now), node)
    }

    private func beat(_ node: Node) {
        guard !node.isPaused else { return }
        guard redis.index[node.name] == node.lastIncarnation else {
            node.machine.lost()
            return register(node)
        }
        let marks = redis.marked[node.name] ?? 0
        node.lastBeat = now
        take(node.machine.beaten(sent: now, marks: marks, now: now), node)
    }

    private func register(_ node: Node) {
        node.lastIncarnation = redis.register(node.name, above: node.lastIncarnation)
        node.lastBeat = now
        take(node.machine.registered(node.lastIncarnation, sent: now, now: now), node)
    }

    /// What had no answer is sent again in its old order.
    private func breakLink(_ node: Node) {
        guard !node.isPaused else { return }
        node.machine.linkLost()
        node.sent = (node.done.map(\.call) + node.sent.map(\.call)).map { ($0, true) }
        node.done = []
        take(node.machine.linked(now: now), node)
    }

    /// A call's time is over; it may have been carried out.
    private func failOne(_ node: Node) {
        guard !node.isPaused else { return }
        let failure = Machine.CallFailure.failed(.unavailable(reason: "timeout"))
        if !node.done.isEmpty {
            let call = node.done.removeFirst().call
            take(node.machine.answered(call, .failure(failure), now: now), node)
        } else if !node.sent.isEmpty {
            let call = node.sent.removeFirst().call
            take(node.machine.answered(call, .failure(failure), now: now), node)
        }
    }

    // MARK: What goes wrong

    private func obey(_ node: Node) {
        guard !node.closing.isEmpty, !node.isPaused else { return }
        ask(node, .disconnect(node.closing.removeFirst(), .farewell(.replaced)))
    }

    /// Its lease is over, for all that the others know.
    private func declareDead(_ node: Node) { redis.index[node.name] = nil }

    /// It is dead in one partition, as after a sweep that it slept through.
    private func fence(_ node: Node) {
        let corner = random(Partition.count)
        let fence = redis.corners[corner].fences[node.name] ?? 0
        redis.corners[corner].fences[node.name] = max(fence, node.lastIncarnation + 1)
    }

    /// Redis comes back older, or empty: another run, which every node meets on its links.
    private func rollBack() {
        let clock = redis.clock
        redis = backups.isEmpty || random(3) == 0 ? RegistryModel() : backups[random(backups.count)]
        redis.pass(max(0, clock - redis.clock))
        for node in nodes {
            node.isPaused = false
            breakLink(node)
            node.machine.lost()
            register(node)
        }
    }

    /// The process is gone, with what was on its way; another starts under its name.
    private func kill(_ node: Node) {
        guard let place = nodes.firstIndex(where: { $0 === node }) else { return }
        let next = Node(node.name, settings, rules, seal)
        take(next.machine.linked(now: now), next)
        nodes[place] = next
        register(next)
    }

    // MARK: Agreement

    /// Has all that is under way end, and whatever was lost be found.
    func settle() {
        for node in nodes { node.isPaused = false }
        for round in 0..<6 {
            for node in nodes { beat(node) }
            drain()
            // Every partition is renewed and compared once in this.
            if round == 2 { for node in nodes { for _ in Partition.all { take(node.machine.ticked(now: now), node) } } }
            redis.sweep()
            redis.endGraces()
            redis.expire()
            pass(.milliseconds(10))
        }
    }

    private func drain() {
        while let node = nodes.first(where: { !$0.sent.isEmpty || !$0.done.isEmpty || !$0.closing.isEmpty }) {
            if !node.sent.isEmpty { carryOut(node) } else if !node.done.isEmpty { deliver(node) } else { obey(node) }
        }
    }

    /// What is not as it should be, with nothing under way.
    func disagreements() -> [String] {
        var found = failures
        failures = []
        var connections: [UserID: Set<String>] = [:]
        var members: [RoomName: [UserID: Set<String>]] = [:]
        var guests: [RoomName: [Holder?: Int]] = [:]
        for node in nodes {
            if !node.tickets.isEmpty { found.append("\(node.name): \(node.tickets.count) without an answer") }
            let holder = Holder(node: node.name, incarnation: node.lastIncarnation)
            for partition in Partition.all {
                let held = node.machine.entries(in: partition)
                let known = redis.corners[partition.number].held[holder] ?? []
                if held != known {
                    let difference = held.symmetricDifference(known).map(\.text).sorted()
                    found.append("\(node.name) in \(partition.number): \(difference), held \(held.count)")
                }
                let holders = redis.corners[partition.number].holders
                if !held.isEmpty, !holders.contains(holder) { found.append("\(holder) is not among \(holders)") }
                for other in holders where other.node == node.name && other != holder {
                    found.append("\(other) is among the holders of \(partition.number)")
                }
                for entry in held {
                    switch entry {
                    case .user(let user, let id): connections[user, default: []].insert(id)
                    case .member(let user, let id, let room): members[room, default: [:]][user, default: []].insert(id)
                    case .guests(let room):
                        let count = node.asked.count { node.machine.held[$0]?.guestRooms.contains(room) ?? false }
                        guests[room, default: [:]][holder] = count
                    case .count: found.append("\(holder) holds a number: \(entry)")
                    }
                }
            }
        }
        for user in Set(redis.connections.keys).union(connections.keys) {
            let registered = Set(redis.connections[user]?.keys.map { $0 } ?? [])
            let difference = registered.symmetricDifference(connections[user] ?? []).sorted()
            if !difference.isEmpty {
                found.append("connections of \(user): \(difference.map { redis.tell($0, user) })")
            }
        }
        if !redis.immortal.isEmpty { found.append("without a life: \(redis.immortal)") }
        for room in Self.rooms where redis.guests[room] ?? [:] != guests[room] ?? [:] {
            found.append("guests of \(room): \(redis.guests[room] ?? [:]), not \(guests[room] ?? [:])")
        }
        found += strangeSessions()
        if redis.online != Set(connections.keys) { found.append("online: \(redis.online)") }
        for room in Set(redis.members.keys).union(members.keys) {
            for user in Set((redis.members[room] ?? [:]).keys).union((members[room] ?? [:]).keys) {
                let seen = Set(redis.members[room]?[user]?.keys.map { $0 } ?? [])
                let difference = seen.symmetricDifference(members[room]?[user] ?? []).sorted()
                guard !difference.isEmpty else { continue }
                let holders = difference.map { "\($0) \(String(describing: redis.members[room]?[user]?[$0]))" }
                found.append("members of \(room), \(user): \(holders)")
            }
        }
        return found
    }
}

extension RegistryModelRun.Node {
    fileprivate func ticket() -> Int {
        nextTicket += 1
        tickets.insert(nextTicket)
        return nextTicket
    }
}

extension RegistryModel {
    fileprivate func tell(_ id: String, _ user: UserID) -> String {
        "\(id) \(connections[user]?[id].map { "\($0)" } ?? "missing")"
    }

    /// Somebody deletes a key.
    fileprivate mutating func forget(_ choice: Int, _ generator: inout SplitMix) {
        switch choice {
        case 0: connections.keys.sorted { $0.string < $1.string }.first.map { connections[$0] = nil }
        case 1: members.keys.sorted { $0.string < $1.string }.first.map { members[$0] = nil }
        case 2:
            let corner = Int.random(in: 0..<Partition.count, using: &generator)
            forgotten.formUnion(corners[corner].holders.map { Forgotten(corner: corner, holder: $0) })
            corners[corner].holders = []
        case 3: guests.keys.sorted { $0.string < $1.string }.first.map { guests[$0] = nil }
        default: corners[Int.random(in: 0..<Partition.count, using: &generator)].marks = [:]
        }
    }
}
