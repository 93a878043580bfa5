import GatewayCore
import RedisBackend
import RedisClient

/// A run of today's scripts and types that writes one of each record that they know, always the same.
struct RecordScenario {
    /// As long as rooms may be, with all that their names may hold.
    static let room = RoomName(unchecked: "Az09_-.:=,;@" + String(repeating: "r", count: 188))
    static let alice = UserID(unchecked: "alice")
    /// A name with what parts the fields of others.
    static let bob = UserID(unchecked: "bob|7 \u{F6}:@=,")
    static let carol = UserID(unchecked: "carol")
    static let dave = UserID(unchecked: "dave")
    static let sessionKey = "1:" + String(repeating: "0f", count: 32)
    static let info = Array(#"{"name":"A"}"#.utf8)
    static let limits = LogLimits(size: 10, age: .seconds(60))

    static func session(of user: UserID) throws -> SessionID {
        guard let session = SessionID(secret: String(repeating: "A", count: 22), of: user) else {
            throw CallError.unreadable(call: "SessionID")
        }
        return session
    }

    private let link: RedisCommandLink
    private let keys = Keys(prefix: "m")
    private let node = Holder(node: "n1", incarnation: 5)
    private let other = Holder(node: "n2", incarnation: 6)
    private let settings = PresenceSettings()
    private let bound = Publish.Bound(entries: 10, bytes: 1 << 20)

    init(_ link: RedisCommandLink) {
        self.link = link
    }

    func write() async throws {
        try await writeDeployment()
        try await writePresence()
        try await writeSettings()
        try await writeMessages()
        try await writeDepartures()
        try await writeLedger()
    }

    /// Calls a script; what it sends over channels is kept in lists of the channels' names.
    @discardableResult
    private func call<Called: Script>(_ script: Called) async throws -> Called.Answer {
        let call = script.spelled(with: keys)
        let arguments = call.arguments.map { $0 == .string("PUBLISH") ? .string("RPUSH") : $0 }
        let reply = try await link.call(script.file, keys: call.declared(by: keys), arguments: arguments)
        guard let answer = script.read(reply) else { throw CallError.unreadable(call: script.file.name) }
        return answer
    }

    private func send<Answer>(_ command: KeyCommand<Answer>) async throws {
        _ = try await Store(link: link, keys: keys).send(command)
    }

    private func writeDeployment() async throws {
        try await call(Agree(on: .sessionKey, proposal: RecordScenario.sessionKey))
        let load = NodeLoad(connections: 3, rooms: 2, processor: 0.25)
        let description = NodeDescription.encode(
            .own, startedAt: RecordSheet.past, load: load, version: "1.2.3", ability: .able, reason: "draining, or not")
        let beating = Beat.Node("n1", instance: "00000000000000f1", lease: .seconds(3))
        let consent = Beat.Consent(to: Format.Found(), .own)
        try await call(Beat(.register(after: 4, consent), of: beating, description: description, left: ""))
        let spender = Spender(
            name: "al ice", spending: Spending(bytesIn: 1, bytesOut: 2, redisNanoseconds: 3, processorNanoseconds: 4))
        let report = SpenderReport.encode([.users: [spender]])
        try await send(.write(report, to: keys.spenders(of: "n1"), life: .seconds(60)))
        let request = IdempotentRequest(digest: "0d", id: "message-1")
        try await send(
            .claim(keys.idempotency("key 1", beside: RecordScenario.room), with: request.text, life: .seconds(60)))
        guard let range = AddressRange("10.0.0.0/8") else { return }
        try await call(BanAddresses(range, seconds: 86_400, reason: "too much", most: 10))
    }

    private func connect(_ id: String, _ user: UserID, by holder: Holder) async throws {
        let connection = PresenceConnection(id: id, userId: user, address: "192.0.2.1")
        let session = try RecordScenario.session(of: user)
        let registering = Registering(connection, session: session, holder: holder, settings: settings)
        // The second of a user takes the place of the first, as one that resumes.
        guard case .missed = try await call(ResumeSession(registering)) else { return }
        try await call(Connect(registering, mode: .new))
    }

    private func join(_ id: String, _ user: UserID, by holder: Holder, _ mode: Join.Mode = .new) async throws {
        let room = RecordScenario.room
        try await call(
            Join(
                room, connection: id, of: user, info: RecordScenario.info, holder: holder, mode: mode,
                settings: settings))
        try await call(Remember(room, isIn: true, connection: id, session: RecordScenario.session(of: user)))
    }

    private func writePresence() async throws {
        try await connect("c1", RecordScenario.alice, by: node)
        try await join("c1", RecordScenario.alice, by: node)
        // Resumed elsewhere: the first connection is to be closed.
        try await connect("c2", RecordScenario.alice, by: other)
        try await join("c2", RecordScenario.alice, by: other, .replacing("c1"))
        for user in [RecordScenario.bob, RecordScenario.carol] {
            try await connect("c-\(user.string.prefix(3))", user, by: node)
            try await join("c-\(user.string.prefix(3))", user, by: node)
        }
        let signal = Signal(
            room: RecordScenario.room, from: RecordScenario.alice, to: RecordScenario.bob, payload: Array("[1]".utf8))
        try await call(PassSignal(signal, connection: "c2"))
    }

    private func publish(
        _ payload: String, to room: RoomName, _ number: Int, epoch: String = "e00000000001", event: String? = nil,
        except: String? = nil
    ) async throws {
        var publication = Publication(room: room, userId: RecordScenario.alice, payload: Array(payload.utf8))
        publication.event = event.flatMap { EventName($0) }
        publication.except = except
        let body = MessageBody.encode(publication)
        let mark = DedupeMark(owner: .user(RecordScenario.alice), key: "mark \(number)")
        var publish = Publish(
            body, to: room, under: mark, limits: RecordScenario.limits, candidate: epoch,
            link: "link0001")
        if number == 1 { publish.sender = RecordScenario.alice }
        publish.ledger = bound
        publish.stream = bound
        try await call(publish)
    }

    private func writeSettings() async throws {
        var settings = RoomSettings(
            text: Array(#"{"title":"T","join":["member"],"publish":["member","speaker"]}"#.utf8))
        settings.maxMembers = 50
        settings.slowMode = 3600
        settings.join = [.member]
        settings.publish = [.member, RoleName(unchecked: "speaker")]
        settings.roles = [RoleRights(role: RoleName(unchecked: "speaker"), rights: [.join, .publish])]
        guard
            case .changed(let version, _) = try await call(
                Govern(RecordScenario.room, .set(settings), replacing: 0, link: "link0003"))
        else { return }
        settings.expires = .seconds(86_400)
        try await call(Govern(RecordScenario.room, .set(settings), replacing: version, link: "link0003"))
        let orders: [(RoomOrder.Act, UserID)] = [
            (.role(RoleName(unchecked: "speaker")), RecordScenario.carol), (.role(.host), RecordScenario.alice),
            (.mute(until: RecordSheet.past), RecordScenario.bob), (.unmute, RecordScenario.carol),
            (.ban(until: nil), UserID(unchecked: "eve")),
        ]
        for (act, user) in orders {
            try await call(Moderate(RoomOrder(act, user, in: RecordScenario.room), link: "link0003"))
        }
        // One who is put out of another room.
        let other = RoomName(unchecked: "other")
        try await call(
            Join(
                other, connection: "c2", of: RecordScenario.alice, info: RecordScenario.info, holder: self.other,
                mode: .new, settings: self.settings))
        try await call(
            Moderate(RoomOrder(.remove, RecordScenario.alice, in: other, reason: "enough"), link: "link0003"))
        let closed = RoomName(unchecked: "closed")
        try await call(Govern(closed, .close(withLog: false), replacing: 0, link: "link0003"))
    }

    private func writeMessages() async throws {
        try await publish(#"{"n":1}"#, to: RecordScenario.room, 1)
        try await publish("[ 2 ]", to: RecordScenario.room, 2)
        try await publish("3", to: .everyone, 3)
        let inbox = RoomName(inboxOf: RecordScenario.alice)
        try await publish("4", to: inbox, 4)
        // As if Redis had been another before: the epoch ends.
        let state = keys.state(Partition(of: inbox)).name
        _ = try await link.send(["HSET", .string(state), "run", .string(String(repeating: "f", count: 40))])
        try await publish("5", to: inbox, 5, epoch: "e00000000002")
    }

    private func writeDepartures() async throws {
        // Of so many the second number is owed.
        var counting = settings
        counting.counting = { _ in RoomCounting(isToldSubscribers: true, isNoted: false) }
        for (holder, count, departure) in [(node, 103, nil), (other, 3, Departure.abrupt(.drained))] {
            let report = GuestCounts.Report(RecordScenario.room, count: count, departure: departure)
            try await call(CountGuests(report, holder: holder, settings: counting))
        }
        // In its grace.
        let bobs = PresenceConnection(id: "c-bob", userId: RecordScenario.bob, address: "")
        try await leave(bobs, .abrupt(.lost))
        try await disconnect(bobs, .abrupt(.lost))
        // Gone for good.
        let carols = PresenceConnection(id: "c-car", userId: RecordScenario.carol, address: "")
        try await leave(carols, .farewell(.closed))
        try await disconnect(carols, .farewell(.closed))
        // Thrown out.
        try await connect("c-dav", RecordScenario.dave, by: node)
        let expulsion = Expulsion(text: "out you go", ban: .seconds(86_400), tokensBefore: RecordSheet.past)
        try await call(Expel(RecordScenario.dave, expulsion, settings: settings))
        try await send(.add(1, to: "n1", of: keys.marked))
    }

    private func leave(_ connection: PresenceConnection, _ departure: Departure) async throws {
        try await call(
            Leave(
                RecordScenario.room, connection: connection.id, of: connection.userId, holder: .node(node),
                departure: departure, settings: settings))
    }

    private func disconnect(_ connection: PresenceConnection, _ departure: Departure) async throws {
        let session = try RecordScenario.session(of: connection.userId)
        try await call(
            Disconnect(connection, session: session, holder: node, departure: departure, settings: settings))
    }

    /// What receivers of events leave behind, in the room's partition: a dead letter, a loss, a replay.
    private func writeLedger() async throws {
        let partition = Partition(of: RecordScenario.room)
        try await call(ClaimPartition(partition, for: node, live: [node]))
        let assignment = LedgerAssignment(partition: partition.number, token: "\(node) 1")
        // A node that is dead here below its incarnation.
        let gone = Holder(node: "n3", incarnation: 1)
        try await call(Sweep(partition, token: assignment.token, of: .node(gone), [], settings: settings))
        guard case .gathered(let given) = try await call(Gather(assignment, for: "hook", candidate: "b1")) else {
            return
        }
        let ids = given.entries.map(\.id)
        try await settle(.givenUp(entries(ids.prefix(1)), reason: "answered 500"), assignment)
        try await settle(.sent(entries(ids.dropFirst())), assignment)
        try await publish("6", to: RecordScenario.room, 6)
        try await publish("7", to: RecordScenario.room, 7)
        try await publish("{}", to: RecordScenario.room, 8, event: "typing", except: "0123456789abcd")
        try await publish("{}", to: RecordScenario.room, 9, except: "0123456789abcd")
        let events = keys.events(partition).name
        _ = try await link.send(["XTRIM", .string(events), "MAXLEN", 1])
        try await call(Gather(assignment, for: "hook", candidate: "b1"))
        let last = try await link.send(["XRANGE", .string(events), "-", "+"])[0][0].string
        try await settle(.sent(entries([last ?? ""])), assignment)
        try await call(Replay(partition, for: "hook", from: ids[0], types: ["member.joined", "message.published"]))
        try await call(Trim(assignment, receivers: ["hook"], kept: 10, forgottenAfter: .seconds(60)))
    }

    private func entries(_ ids: some Collection<String>) -> Settle.Entries {
        Settle.Entries(wanted: Array(ids), others: [], last: Array(ids).last ?? "-")
    }

    private func settle(_ what: Settle.What, _ assignment: LedgerAssignment) async throws {
        try await call(Settle(what, of: assignment, for: "hook", deadLetters: bound))
    }
}
