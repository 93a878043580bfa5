import Foundation
import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing

/// Records of the formats that this release reads, as they lie in `Records`, one file for each format.
///
/// Whoever changes what is written raises the format, and keeps its records by running
/// `MARTLET_KEEP_RECORDS=1 swift test --filter KeptRecordTests`.
struct KeptRecordTests {
    private let keys = Keys(prefix: "m")
    private let alice = RecordScenario.alice
    private let bob = RecordScenario.bob
    private let room = RecordScenario.room

    @Test func `what is written today is what was kept of this format`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        try await RecordScenario(observer.link).write()
        let written = try await RecordSheet(from: observer.link)
        #expect(RecordSheet(written.text) == written)
        if ProcessInfo.processInfo.environment["MARTLET_KEEP_RECORDS"] == "1" {
            let file = RecordSheet.file(ofFormat: Format.own.writes)
            try written.text.write(to: file, atomically: true, encoding: .utf8)
        }
        let kept = try RecordSheet(format: Format.own.writes)
        for (now, then) in zip(written.records, kept.records) where now != then {
            let lines = zip(now.lines, then.lines).first { $0 != $1 }
            Issue.record(
                "\(now.key) is \(lines.map { "\($0)" } ?? "\(now)") and was \(lines.map { "\($1)" } ?? "\(then)")")
        }
        #expect(
            written.records.map(\.key) == kept.records.map(\.key),
            "a record that is written otherwise raises the format: see Wire/Grammar.md")
    }

    @Test(arguments: Format.own.reads...Format.own.writes) func `who is there and in which room is read`(format: Int)
        async throws
    {
        let redis = try RedisServerProcess()
        let observer = try await kept(format, in: redis)
        let store = observer.store
        let states = try await store.call(ReadStates(of: [alice], in: Partition(of: alice.string)))
        #expect(states[0].onlineSince == RecordSheet.past && states[0].lastSeen == nil)
        let carol = RecordScenario.carol
        let gone = try await store.call(ReadStates(of: [carol], in: Partition(of: carol.string)))
        #expect(gone[0].onlineSince == nil && gone[0].lastSeen == RecordSheet.past)

        let fields = try await store.send(.connections(in: keys.connections(of: alice), of: alice))
        #expect(fields.map(\.id) == ["c2"])
        #expect(fields[0].holder == Holder(node: "n2", incarnation: 6) && fields[0].since == RecordSheet.past)
        #expect(try fields[0].session == RecordScenario.session(of: alice))
        // In its grace.
        #expect(try await store.send(.connections(in: keys.connections(of: bob), of: bob)).isEmpty)

        let members = try await store.send(.scan(members: keys.members(room), about: 10)).members
        let info = RecordScenario.info
        #expect(
            Set(members) == [
                Member(userId: alice, info: info, connections: 1), Member(userId: bob, info: info, connections: 0),
            ])
        let session = try await store.send(.session(keys.session(RecordScenario.session(of: alice))))
        #expect(session.connection == "c2" && session.address == "192.0.2.1" && session.rooms == [room])
    }

    @Test(arguments: Format.own.reads...Format.own.writes)
    func `a session goes on, and lingering and held ones are found by whoever sweeps`(
        format: Int
    ) async throws {
        let redis = try RedisServerProcess()
        let observer = try await kept(format, in: redis)
        let store = observer.store
        let settings = PresenceSettings()
        let next = PresenceConnection(id: "c3", userId: alice, address: "")
        let holder = Holder(node: "n4", incarnation: 7)
        let session = try RecordScenario.session(of: alice)
        let answer = try await store.call(
            ResumeSession(Registering(next, session: session, holder: holder, settings: settings)))
        guard case .resumed(let registered, let earlier) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(registered.marked == ["n2"] && registered.inbox == Position(epoch: "e00000000002", seq: 2))
        #expect(earlier == ResumeSession.Earlier(connection: "c2", rooms: [room]))

        let own = Partition(of: room)
        guard case .found(let found) = try await store.call(Look(at: own, token: "n1:5 1", latest: .max)) else {
            Issue.record("the coordinator's token is not read")
            return
        }
        #expect(found.due.contains(.member(bob, connection: "c-bob", room: room)))
        #expect(
            Set(found.holders.map(\.holder)) == [
                Holder(node: "n1", incarnation: 5), Holder(node: "n2", incarnation: 6),
            ])
        let held = try await store.send(
            .entries(of: keys.held(by: Holder(node: "n2", incarnation: 6), in: Partition(of: alice.string))))
        #expect(held.contains(.user(alice, connection: "c2")))
        let swept = Sweep(own, token: "n1:5 1", of: .graces(dueBy: found.dueBy), found.due, settings: settings)
        #expect(try await store.call(swept) == .left(0))
        let members = try await store.send(.scan(members: keys.members(room), about: 10)).members
        #expect(members.map(\.userId) == [alice])
    }

    @Test(arguments: Format.own.reads...Format.own.writes)
    func `who was thrown out stays out, and its connections are found to be closed`(
        format: Int
    ) async throws {
        let redis = try RedisServerProcess()
        let observer = try await kept(format, in: redis)
        let store = observer.store
        let dave = RecordScenario.dave
        #expect(try await store.call(Admit(dave, issuedAt: nil)) == .banned)
        let marks = try await store.send(.marks(in: keys.marks(Partition(of: dave.string))))
        #expect(marks == [CloseMark(connection: "c-dav", node: "n1", reason: .forbidden, text: "out you go")])
        let bans = try await store.call(ReadBans())
        #expect("\(bans)".contains("10.0.0.0/8") && "\(bans)".contains("too much"))
        let verdict = try #require(try await store.send(.text(of: keys.verdict(on: dave))))
        #expect(Verdict(verdict)?.bannedUntil == RecordSheet.future)
    }

    @Test(arguments: Format.own.reads...Format.own.writes)
    func `messages go on where they were, and what was sent before is known`(
        format: Int
    ) async throws {
        let redis = try RedisServerProcess()
        let observer = try await kept(format, in: redis)
        let store = observer.store
        let range = HistoryRange(edge: .newest, limit: 10)
        let ages = Duration.seconds(100 * 365 * 86_400)
        let page = try await store.call(ReadHistory(of: room, range: range, age: ages, candidate: "none"))
        // Names, and whom a message leaves out, came with format 3.
        let later = format < 3 ? 0 : 2
        #expect(page.head == Position(epoch: "e00000000001", seq: 4 + later))
        let payloads = page.messages.map { String(decoding: $0.payload, as: UTF8.self) }
        #expect(payloads.prefix(4) == ["{\"n\":1}", "[ 2 ]", "6", "7"])
        let named = page.messages.dropFirst(4)
        #expect(named.map { $0.event?.string ?? "" } == Array(["typing", ""].prefix(later)))
        #expect(named.allSatisfy { $0.except == "0123456789abcd" && $0.payload == Array("{}".utf8) })
        #expect(page.messages.allSatisfy { $0.userId == alice && $0.timestamp == RecordSheet.past })

        let inbox = RoomName(inboxOf: alice)
        let limits = LogLimits(size: 10, age: ages)
        let part = LogPart(after: 0, limit: 10, bytes: 1 << 20)
        let ask = AskPosition(inbox, hasRoster: false, limits: limits, reading: part, candidate: "none")
        let position = try await store.call(ask)
        #expect(position.head == Position(epoch: "e00000000002", seq: 2) && position.messages.count == 2)

        let body = MessageBody.encode(Publication(room: room, userId: alice, payload: Array("8".utf8)))
        let mark = DedupeMark(owner: .user(alice), key: "mark 2")
        let again = Publish(
            body, to: room, under: mark, limits: limits, candidate: "none", link: "link0002")
        #expect(try await store.call(again).position == Position(epoch: "e00000000001", seq: 2))
        let next = Publish(body, to: room, limits: limits, candidate: "none", link: "link0002")
        #expect(try await store.call(next).position == Position(epoch: "e00000000001", seq: 5 + later))
        let request = try #require(
            try await store.send(.text(of: keys.idempotency("key 1", beside: RecordScenario.room))))
        #expect(IdempotentRequest(request) == IdempotentRequest(digest: "0d", id: "message-1"))
    }

    @Test(arguments: 3...Format.own.writes) func `a room's settings bind who joins and who sends`(format: Int)
        async throws
    {
        let redis = try RedisServerProcess()
        let observer = try await kept(format, in: redis)
        let store = observer.store
        let state = try await store.call(ReadSettings(of: room))
        #expect(state.version == RecordSheet.past && state.expires == .seconds(86_400) && !state.isClosed)
        #expect(String(decoding: state.settings, as: UTF8.self).hasPrefix(#"{"title":"T","#))
        let closed = try await store.call(ReadSettings(of: RoomName(unchecked: "closed")))
        #expect(closed.isClosed && closed.version == RecordSheet.past)
        let holder = Holder(node: "n1", incarnation: 5)
        let join = Join(
            room, connection: "c-zoe", of: UserID(unchecked: "zoe"), info: RecordScenario.info, holder: holder,
            mode: .new,
            settings: PresenceSettings())
        #expect(try await store.call(join).roster != nil)
        var publish = Publish(
            MessageBody.encode(Publication(room: room, userId: alice, payload: Array("8".utf8))), to: room,
            limits: LogLimits(size: 10, age: .seconds(60)), candidate: "none", link: "link0002")
        publish.sender = alice
        _ = try await store.call(publish)
        await #expect(throws: CallError.self) { try await store.call(publish) }
    }

    @Test(arguments: Format.own.reads...Format.own.writes) func `receivers of events go on where they were`(format: Int)
        async throws
    {
        let redis = try RedisServerProcess()
        let observer = try await kept(format, in: redis)
        let store = observer.store
        let own = Partition(of: room)
        let assignment = LedgerAssignment(partition: own.number, token: "n1:5 1")
        let backlog = try await store.call(ReadBacklog(of: "hook", in: own))
        #expect(backlog.deadLetters == 1 && backlog.givenUp == 1 && backlog.lost > 0 && backlog.isReplaying)
        #expect(backlog.lastSent == RecordSheet.past && backlog.lastFailure?.problem == "answered 500")
        guard case .gathered(let loss) = try await store.call(Gather(assignment, for: "hook", candidate: "b2")) else {
            Issue.record("nothing is given")
            return
        }
        let lost = try #require(LedgerLoss(loss.receipt))
        #expect(loss.kind == .loss && lost.count == backlog.lost && lost.timestamp == RecordSheet.past)
        #expect(loss.births.name(of: lost.entry) == "b1")
        let bound = Publish.Bound(entries: 10, bytes: 1 << 20)
        #expect(
            try await store.call(
                Settle(.lossTold(receipt: loss.receipt), of: assignment, for: "hook", deadLetters: bound))
                == .settled)
        guard case .gathered(let replay) = try await store.call(Gather(assignment, for: "hook", candidate: "b2")) else {
            Issue.record("nothing is given")
            return
        }
        #expect(
            replay.kind == .replay && LedgerReplay(replay.receipt)?.types == ["member.joined", "message.published"])
        #expect(replay.entries.first?.type == "room.occupied")
    }

    /// What nodes say of themselves.
    @Test(arguments: Format.own.reads...Format.own.writes) func `the index and what all nodes agree on are read`(
        format: Int
    ) async throws {
        let redis = try RedisServerProcess()
        let observer = try await kept(format, in: redis)
        let store = observer.store
        #expect(try await store.send(.field("partitions", of: keys.deployment)) == Partition.layout)
        #expect(try await store.call(Agree(on: .sessionKey, proposal: "")) == RecordScenario.sessionKey)
        let entry = try #require(try await store.send(.field("n1", of: keys.index)))
        let node = try #require(NodeDescription.node("n1", entry: entry))
        #expect(node.version == "1.2.3" && node.load == NodeLoad(connections: 3, rooms: 2, processor: 0.25))
        #expect(entry.contains(" format=\(format) "))
        #expect(node.reason == "draining, or not")
        #expect(node.incarnation == RecordSheet.past && node.startedAt == RecordSheet.past)
        let spenders = try #require(try await store.send(.text(of: keys.spenders(of: "n1"))))
        #expect(SpenderReport.decode(spenders, .users).map(\.name) == ["al ice"])
    }

    /// What was sent over channels, which the sheet holds as lists.
    @Test(arguments: Format.own.reads...Format.own.writes) func `messages between nodes are read`(format: Int) throws {
        let sheet = try RecordSheet(format: format)
        func all(_ key: Key) -> [[UInt8]] { sheet.lines(of: key).map { RecordSheet.read($0[0]) } }
        let messages = all(keys.channel(room)).filter { $0[0] == UInt8(ascii: "m") }
        #expect(messages.count == (format < 3 ? 4 : 6))
        messages[1].withUnsafeBytes { bytes in
            let message = ChannelMessage(bytes)
            #expect(message?.seq == 2 && message?.timestamp == RecordSheet.past)
        }
        let steps = all(keys.channel(room)).filter { $0[0] == UInt8(ascii: "p") }
            .compactMap { $0.withUnsafeBytes { PresenceMessage($0) } }
        let events = steps.flatMap(\.events)
        let join = PresenceMessage.Change.join(info: RecordScenario.info)
        #expect(events.map(\.change) == [join, join, join, .leave])
        #expect(events.map(\.userId) == [alice, bob, RecordScenario.carol, RecordScenario.carol])
        #expect(steps.last?.members == 2 && steps.last?.version == RecordSheet.past)

        let own = Partition(of: alice.string)
        let told = all(keys.node("n2", in: own)).map {
            $0.withUnsafeBytes { bytes in NodeMessage(bytes).map { "\($0)" } }
        }
        #expect(told.count == 2 && told.allSatisfy { $0?.hasPrefix("inbox") == true })
        let closing = all(keys.node("n1", in: own)).compactMap { $0.withUnsafeBytes { NodeMessage($0) } }
        guard case .close("c1", .replaced, _) = closing.first else {
            Issue.record("\(closing)")
            return
        }
        let signals = all(keys.node("n1", in: Partition(of: room))).compactMap {
            $0.withUnsafeBytes { NodeMessage($0) }
        }
        guard case .signal(let signal) = signals.first else {
            Issue.record("\(signals)")
            return
        }
        #expect(signal == Signal(room: room, from: alice, to: bob, payload: Array("[1]".utf8)))
        let statuses = all(keys.status(of: RecordScenario.carol)).compactMap {
            $0.withUnsafeBytes { StatusMessage($0) }
        }
        #expect(statuses.map(\.isOnline) == [true, false] && statuses.allSatisfy { $0.timestamp == RecordSheet.past })
    }

    private func kept(_ format: Int, in redis: RedisServerProcess) async throws -> Observer {
        let observer = try Observer(redis)
        try await RecordSheet(format: format).put(by: observer.link)
        return observer
    }
}
