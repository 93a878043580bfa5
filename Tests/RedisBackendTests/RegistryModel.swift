import GatewayCore

import RedisBackend

/// Redis's registry, kept in memory: what the scripts of presence do, without lives, numbers and channels.
struct RegistryModel {
    typealias Machine = RegistrationMachine

    struct Record: Hashable {
        /// Nil while its grace runs.
        var holder: Holder?
        var since: Int64
        /// Marked to be closed, so that it counts no more.
        var isMarked = false
    }

    struct Session: Hashable {
        var user: UserID
        var connection: String
        var before: String?
        var rooms: Set<RoomName> = []
    }

    struct Corner: Hashable {
        var holders: Set<Holder> = []
        var fences: [String: Int64] = [:]
        var held: [Holder: Set<HeldEntry>] = [:]
        var lingering: Set<HeldEntry> = []
        var marks: [String: CloseMark] = [:]
    }

    /// A holder whose name in a partition somebody has deleted: what it holds there nobody sweeps, and time alone ends.
    struct Forgotten: Hashable {
        var corner: Int
        var holder: Holder
    }

    /// A key that ends by itself, unless a script wrote it anew without a life.
    enum Mortal: Hashable {
        case held(Int, Holder)
        case online(Int)
        /// Its members and connections.
        case room(RoomName)
    }

    private(set) var clock: Int64 = 1_000
    /// Those that were written anew without a life.
    private var lifeless: Set<Mortal> = []
    var forgotten: Set<Forgotten> = []
    /// Node → incarnation.
    var index: [String: Int64] = [:]
    /// Node → how often connections of it were marked.
    var marked: [String: Int64] = [:]
    var corners = [Corner](repeating: Corner(), count: Partition.count)
    var connections: [UserID: [String: Record]] = [:]
    var sessions: [SessionID: Session] = [:]
    var members: [RoomName: [UserID: [String: Holder?]]] = [:]
    /// Of each room, who has how many guests in it; nobody's is a grace.
    var guests: [RoomName: [Holder?: Int]] = [:]
    var online: Set<UserID> = []
    var locked: Set<RoomName> = []

    mutating func pass(_ milliseconds: Int64) { clock += milliseconds }

    // MARK: The index

    mutating func register(_ node: String, above last: Int64) -> Int64 {
        let incarnation = max(max(index[node] ?? 0, last) + 1, clock)
        index[node] = incarnation
        return incarnation
    }

    /// What a coordinator does that is sure of its index.
    mutating func sweep() {
        for partition in Partition.all {
            for holder in corners[partition.number].holders {
                let fence = corners[partition.number].fences[holder.node] ?? 0
                if let living = index[holder.node] {
                    guard holder.incarnation < living, holder.incarnation < fence else { continue }
                } else {
                    corners[partition.number].fences[holder.node] = max(fence, holder.incarnation + 1)
                }
                for entry in corners[partition.number].held[holder] ?? [] { remove(entry) { $0 == holder } }
                corners[partition.number].held[holder] = nil
                corners[partition.number].holders.remove(holder)
            }
        }
    }

    /// The lives of what dead nodes hold that nobody can sweep are over.
    mutating func expire() {
        for one in forgotten where index[one.holder.node] != one.holder.incarnation {
            for entry in corners[one.corner].held.removeValue(forKey: one.holder) ?? [] {
                remove(entry) { $0 == one.holder }
            }
            forgotten.remove(one)
        }
    }

    mutating func endGraces() {
        for partition in Partition.all {
            for entry in corners[partition.number].lingering { remove(entry) { $0 == nil } }
            corners[partition.number].lingering = []
        }
    }

    private mutating func remove(_ entry: HeldEntry, where isTheirs: (Holder?) -> Bool) {
        switch entry {
        case .user(let user, let id):
            // One whose record has gone leaves its user offline, if no other is left.
            if let record = connections[user]?[id], !isTheirs(record.holder) { return }
            removeConnection(id, of: user)
        case .member(let user, let id, let room):
            guard let holder = members[room]?[user]?[id], isTheirs(holder) else { return }
            removeMember(id, of: user, in: room)
        case .guests(let room): guests[room] = guests[room]?.filter { !isTheirs($0.key) }
        // Nobody counts here.
        case .count: break
        }
    }

    // MARK: Lives

    /// A script writes a key, which it finds or not, and gives it a life or not.
    private mutating func write(_ key: Mortal, mustKeep: Bool) {
        if mustKeep { lifeless.remove(key) } else if !isThere(key) { lifeless.insert(key) }
    }

    mutating func renew(_ renewal: Machine.Renewal) {
        let corner = renewal.partition.number
        lifeless.subtract([.held(corner, renewal.holder), .online(corner)] + renewal.rooms.map { .room($0) })
    }

    /// Those that are there for ever.
    var immortal: Set<Mortal> { lifeless.filter(isThere) }

    private func isThere(_ key: Mortal) -> Bool {
        switch key {
        case .held(let corner, let holder): corners[corner].held[holder]?.isEmpty == false
        case .online(let corner): online.contains { Partition(of: $0.string).number == corner }
        case .room(let room): members[room] != nil
        }
    }

    // MARK: Scripts

    /// - Parameter isRepeated: sent again after a break.
    mutating func answer(_ call: Machine.Call, isRepeated: Bool) -> Machine.Answer {
        clock += 1
        switch call {
        case .connect(let registrant, let writer, _):
            guard !isFenced(writer.holder, registrant.session.partition) else { return fenced(writer.holder) }
            return .connect(.registered(register(registrant, writer, isRepeated, since: nil)))
        case .resume(let registrant, let session, let writer, _):
            return resume(registrant, session, writer, isRepeated)
        case .connectAgain(let registrant, let earlier, let holder, _):
            guard !isFenced(holder, registrant.session.partition) else { return fenced(holder) }
            let named = sessions[registrant.session]?.connection
            if let named, named != registrant.connection.id { return .connect(.replaced) }
            let writer = Machine.Writer(holder: holder, isKnown: false)
            let registered = register(registrant, writer, isRepeated, since: earlier.since)
            sessions[registrant.session]?.rooms = earlier.rooms
            return .connect(.registered(registered))
        case .join(let joining, let user, _, let writer):
            var old: String?
            if case .moved(let connection) = joining.purpose { old = connection }
            if !isFenced(writer.holder, Partition(of: joining.room)), isBarred(joining, user) {
                return .join(.barred(.locked))
            }
            return join(joining.room, joining.connection, user, writer, isRepeated, old)
        case .joinAgain(let place, let id, _, _, _, let holder, _):
            return join(place.room, id, place.user, Machine.Writer(holder: holder, isKnown: false), isRepeated, nil)
        case .disconnect(let departed, let departure, let holder):
            let registrant = departed.registrant
            return .disconnect(
                disconnect(
                    registrant.connection.id, departed.user, registrant.session, departure, holder,
                    known: departed.known))
        case .restore(let left, let holder):
            let writer = Machine.Writer(holder: holder, isKnown: false)
            return join(left.place.room, left.connection, left.place.user, writer, isRepeated, nil)
        case .leave(let place, let id, let departure, let holder):
            leave(place.room, id, place.user, departure, holder)
            return .done
        case .evict(let place, let id, _):
            corners[Partition(of: place.room).number].lingering.remove(
                .member(place.user, connection: id, room: place.room))
            removeMember(id, of: place.user, in: place.room)
            return .done
        case .setState: return .state(.noted(isInvisible: false))
        case .hide: return .done
        case .show(let place, let id, _, let holder, _):
            return .show(members[place.room]?[place.user]?[id] == holder ? .shown : .notHeld)
        case .remember(let room, let isIn, _, let id, let session):
            guard sessions[session]?.connection == id else { return .done }
            if isIn { sessions[session]?.rooms.insert(room) } else { sessions[session]?.rooms.remove(room) }
            return .done
        case .signal(let signal, let id, _):
            guard members[signal.room]?[signal.from]?[id] ?? nil != nil else { return .signal(.notMember) }
            let count = members[signal.room]?[signal.to]?.values.count { $0 != nil } ?? 0
            return .signal(count > 0 ? .passed(nodes: count) : .notFound)
        case .guests(let report, let writer, _): return count(report, writer, isRepeated)
        case .renounce(let partition, let holder):
            let fence = corners[partition.number].fences[holder.node] ?? 0
            corners[partition.number].fences[holder.node] = max(fence, holder.incarnation)
            return .done
        case .readHeld(let partition, let holder):
            return .held(Array(corners[partition.number].held[holder] ?? []))
        case .compare(let entries, let partition, let holder):
            let asked = Array(entries.prefix(Compare.most))
            return .compared(Compare.Answer(lacking: asked.indices.filter { !isWhole(asked[$0], partition, holder) }))
        case .end(let entry, let holder):
            switch entry {
            case .user(let user, let id): _ = disconnect(id, user, nil, .abrupt(.lost), holder)
            case .member(let user, let id, let room): leave(room, id, user, .abrupt(.lost), holder)
            case .guests(let room):
                let report = GuestCounts.Report(room, count: 0, departure: .abrupt(.lost))
                return count(report, Machine.Writer(holder: holder, isKnown: true), isRepeated)
            case .count: break
            }
            return .done
        case .readMarks(let partition):
            return .marks(Array(corners[partition.number].marks.values))
        }
    }

    private func isFenced(_ holder: Holder, _ partition: Partition) -> Bool {
        corners[partition.number].fences[holder.node] ?? 0 > holder.incarnation
    }

    private func fenced(_ holder: Holder) -> Machine.Answer { .connect(.fenced(at: holder.incarnation + 1)) }

    private mutating func register(
        _ registrant: HeldConnections.Registrant, _ writer: Machine.Writer, _ isRepeated: Bool, since: Int64?
    ) -> Connect.Registered {
        let holder = writer.holder
        let (id, user) = (registrant.connection.id, registrant.connection.userId)
        let entry = HeldEntry.user(user, connection: id)
        let corner = registrant.session.partition.number
        var record = connections[user]?[id] ?? Record(holder: holder, since: since ?? clock)
        record.holder = holder
        connections[user, default: [:]][id] = record
        corners[corner].lingering.remove(entry)
        var session = sessions[registrant.session] ?? Session(user: user, connection: id)
        (session.user, session.connection) = (user, id)
        sessions[registrant.session] = session
        if !writer.isKnown || isRepeated { corners[corner].holders.insert(holder) }
        let mustKeep = !writer.hasOthers || isRepeated
        write(.held(corner, holder), mustKeep: mustKeep)
        write(.online(corner), mustKeep: mustKeep)
        corners[corner].held[holder, default: []].insert(entry)
        online.insert(user)
        return Connect.Registered(since: record.since, now: clock)
    }

    private mutating func resume(
        _ registrant: HeldConnections.Registrant, _ id: SessionID, _ writer: Machine.Writer, _ isRepeated: Bool
    ) -> Machine.Answer {
        guard !isFenced(writer.holder, id.partition) else { return .resume(.fenced(at: writer.holder.incarnation + 1)) }
        let connection = registrant.connection
        guard let session = sessions[id] else { return .resume(.missed(.unknown)) }
        guard session.user == connection.userId else { return .resume(.missed(.otherUser)) }
        let old = session.connection == connection.id ? session.before ?? "" : session.connection
        var nodes: [String] = []
        if let record = connections[session.user]?[old] {
            connections[session.user]?[old] = nil
            corners[id.partition.number].lingering.remove(.user(session.user, connection: old))
            if let holder = record.holder {
                corners[id.partition.number].marks[old] = CloseMark(
                    connection: old, node: holder.node, reason: .replaced, text: "the session goes on elsewhere")
                nodes.append(holder.node)
            }
        } else if let mark = corners[id.partition.number].marks[old] {
            nodes.append(mark.node)
        }
        sessions[id]?.before = old
        var registered = register(HeldConnections.Registrant(connection, id), writer, isRepeated, since: nil)
        registered.marked = nodes
        return .resume(
            .resumed(
                registered,
                ResumeSession.Earlier(
                    connection: old, rooms: session.rooms.sorted { $0.string < $1.string })))
    }

    private mutating func join(
        _ room: RoomName, _ id: String, _ user: UserID, _ writer: Machine.Writer, _ isRepeated: Bool, _ old: String?
    ) -> Machine.Answer {
        let (partition, holder) = (Partition(of: room), writer.holder)
        guard !isFenced(holder, partition) else { return .join(.fenced(at: holder.incarnation + 1)) }
        if let old, members[room]?[user]?[old] != nil {
            members[room]?[user]?[old] = nil
            corners[partition.number].lingering.remove(.member(user, connection: old, room: room))
        }
        let entry = HeldEntry.member(user, connection: id, room: room)
        let isFirst = members[room]?.keys.contains { $0 != user } != true
        let mustKeep = !writer.hasOthers || isRepeated || isFirst
        write(.room(room), mustKeep: mustKeep)
        write(.held(partition.number, holder), mustKeep: mustKeep)
        members[room, default: [:]][user, default: [:]][id] = .some(holder)
        corners[partition.number].lingering.remove(entry)
        if !writer.isKnown || isRepeated { corners[partition.number].holders.insert(holder) }
        corners[partition.number].held[holder, default: []].insert(entry)
        return .join(
            .joined(RosterState(members: members[room]?.count ?? 0, version: clock, timestamp: clock), stream: nil))
    }

    private mutating func count(
        _ report: GuestCounts.Report, _ writer: Machine.Writer, _ isRepeated: Bool
    ) -> Machine.Answer {
        let (partition, holder) = (Partition(of: report.room), writer.holder)
        let entry = HeldEntry.guests(report.room)
        if report.count > 0, isFenced(holder, partition) { return .guests(.fenced(at: holder.incarnation + 1)) }
        var present = guests[report.room] ?? [:]
        present = present.filter { other, _ in
            other.map { $0.node != holder.node || $0.incarnation > holder.incarnation } ?? true
        }
        if report.count > 0 {
            present[holder] = report.count
            corners[partition.number].held[holder, default: []].insert(entry)
            if !writer.isKnown || isRepeated { corners[partition.number].holders.insert(holder) }
            write(.held(partition.number, holder), mustKeep: true)
        } else {
            corners[partition.number].held[holder]?.remove(entry)
        }
        if case .abrupt = report.departure {
            present[nil] = 0
            corners[partition.number].lingering.insert(entry)
        }
        guests[report.room] = present
        return .guests(.counted(nil))
    }

    private func isWhole(_ entry: Compare.Entry, _ partition: Partition, _ holder: Holder) -> Bool {
        guard corners[partition.number].holders.contains(holder) else { return false }
        switch entry {
        case .user(let user, let id, let session):
            return connections[user]?[id]?.holder == holder && sessions[session]?.connection == id
                && online.contains(user)
        case .member(let user, let id, let room):
            return members[room]?[user]?[id] == .some(.some(holder))
        case .guests(let room, let count): return guests[room]?[holder] == count
        }
    }
}
