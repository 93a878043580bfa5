import GatewayCore
import RedisClient
import TestKit
import Testing

import RedisBackend

/// With a Cluster each call declares one key more, so that a slot on the move freezes as a whole.
@Suite("Keys that a call declares")
struct DeclaredKeyTests {
    private let alice = UserID(unchecked: "alice")
    private let session = SessionID(of: UserID(unchecked: "alice"))
    private let room = RoomName(unchecked: "r")
    private let holder = Holder(node: "n1", incarnation: 5)
    private let settings = PresenceSettings()
    private let limits = LogLimits(size: 10, age: .seconds(60))

    @Test func `a key that is declared behind a script's own changes none of its answers`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let (plain, guarded) = (Keys(prefix: "a"), Keys(prefix: "b", isSharded: true))
        var called: Set<String> = []
        for (first, second) in zip(scripts(plain), scripts(guarded)) {
            let (left, right) = (first.spelled(with: plain), second.spelled(with: guarded))
            called.insert(first.file.name)
            let expected = try await observer.link.call(
                first.file, keys: left.declared(by: plain), arguments: left.arguments)
            let key = try #require(right.keys.first)
            let more = key.name.prefix { $0 != "}" } + "}:none"
            let declared = right.declared(by: guarded)
            #expect(declared == right.keys.map(\.name) + [String(more)], "\(first.file.name)")
            #expect(Set(declared.map { KeySlot(of: $0) }) == [key.slot], "\(first.file.name)")
            let found = try await observer.link.call(second.file, keys: declared, arguments: right.arguments)
            #expect(Self.shape(found) == Self.shape(expected), "\(first.file.name)")
        }
        #expect(Set(Scripts.all.map(\.name)) == called)
        #expect(try await redis.cli("KEYS", "*:none") == "")
    }

    /// In an order in which each finds something.
    private func scripts(_ keys: Keys) -> [any Script] {
        let (own, rooms) = (Partition(of: alice.string), Partition(of: room))
        let next = PresenceConnection(id: "c2", userId: alice, address: "")
        let info = Array("{}".utf8)
        let assignment = LedgerAssignment(partition: own.number, token: "n1:5 1")
        let node = Beat.Node("n1", instance: "i", lease: .seconds(3))
        let kept = Publish.Bound(entries: 10, bytes: 1 << 20)
        let part = LogPart(after: 0, limit: 10, bytes: 1 << 20)
        var all: [any Script] = [MeetServer(in: own), Agree(on: .sessionKey, proposal: "x")]
        for consent in [nil, Beat.Consent(to: Format.Found(), .own)] {
            let register = Beat.Mode.register(after: 4, consent)
            all.append(Beat(register, of: node, description: "format=2 reads=2 version=v", left: ""))
        }
        all.append(SendCanary(1, to: "n1", instance: "i", in: own))
        all.append(Notify(["n1", "n2"], Array("c i 2".utf8), in: own))
        all.append(TellMarked(["n1", "n1"], life: .seconds(60)))
        all.append(ClaimPartition(own, for: holder, live: [holder]))
        let connection = PresenceConnection(id: "c1", userId: alice, address: "")
        all.append(Connect(connection, session: session, by: holder, settings: settings))
        all.append(ResumeSession(Registering(next, session: session, holder: holder, settings: settings)))
        for mode in [Join.Mode.new, .again(settled: 1)] {
            all.append(
                Join(room, connection: "c2", of: alice, info: info, holder: holder, mode: mode, settings: settings))
        }
        all.append(CountGuests(GuestCounts.Report(room, count: 3), holder: holder, settings: settings))
        all.append(NoteMiss(in: room, settings: settings))
        all.append(Show(info, of: alice, in: room, connection: "c2", holder: holder))
        for state in [UserState.away, .invisible, .active] {
            all.append(SetState(state, next, holder: holder, settings: settings))
        }
        for isHidden in [true, false] { all.append(Hide(alice, in: room, isHidden: isHidden, settings: settings)) }
        all.append(Remember(room, isIn: true, connection: "c2", session: session))
        all.append(PassSignal(Signal(room: room, from: alice, to: alice, payload: info), connection: "c2"))
        all.append(Admit(alice, issuedAt: 1))
        all.append(Govern(room, .set(RoomSettings()), replacing: 0, link: "link0009"))
        for act in [RoomOrder.Act.role(.host), .mute(until: 5), .ban(until: 5), .unban, .remove, .admit] {
            all.append(Moderate(RoomOrder(act, UserID(unchecked: "bob"), in: room), link: "link0009"))
        }
        all.append(ReadRoles(of: room))
        all.append(ReadChair(of: room, token: "n1:5 1"))
        all.append(HandOver(room, to: alice, seen: 1, token: "n1:5 1", settings: settings))
        all.append(Invite(alice, to: room))
        all.append(Prune([room], in: rooms))
        all.append(ReadSettings(of: room))
        all.append(Unwritten(ReadSettings(of: room)))
        all += publishes(kept)
        all.append(AskPosition(room, hasRoster: true, limits: limits, reading: part, candidate: "e1"))
        all.append(AskPosition(room, hasRoster: false, limits: limits, reading: nil, candidate: "e1"))
        all.append(Unwritten(AskPosition(room, hasRoster: true, limits: limits, reading: part, candidate: "e1")))
        all.append(ReadHeads(of: [room], in: rooms))
        let newest = HistoryRange(edge: .newest, limit: 5)
        all.append(ReadHistory(of: room, range: newest, age: .seconds(60), candidate: "e1"))
        all.append(Unwritten(ReadHistory(of: room, range: newest, age: .seconds(60), candidate: "e1")))
        all.append(Redact(.one(seq: 1, epoch: nil), in: room))
        all.append(Redact(.allOf(alice), in: RoomName(inboxOf: alice)))
        all.append(ListLogs(beside: own, from: nil, prefix: keys.prefix))
        all.append(ReadStates(of: [alice], in: own))
        all.append(ScanMembers(keys.members(room), from: 0, about: 5))
        all.append(ReadPage(of: keys.online(own), limit: 5, after: nil))
        let span = RoomSpan(prefix: "r", isWithoutForeign: true)
        all.append(ReadSpan(of: keys.rooms(own), in: span, portion: 5, after: nil))
        all.append(Touch([(keys.online(own), .seconds(200)), (keys.seen(own), .seconds(200))]))
        all.append(Compare([.user(alice, connection: "c2", session: session)], in: own, holder: holder))
        all.append(Compare([.member(alice, connection: "c2", room: room)], in: rooms, holder: holder))
        all.append(Gather(assignment, for: "w", candidate: "b1"))
        all.append(Settle(.failed(problem: "x"), of: assignment, for: "w", deadLetters: kept))
        all.append(ReadBacklog(of: "w", in: own))
        all.append(Replay(own, for: "w", from: "0-0", types: nil))
        all.append(Trim(assignment, receivers: ["w"], kept: 10, forgottenAfter: .seconds(60)))
        all.append(Shrink([(keys.events(own), 1 << 20)]))
        all.append(Look(at: own, token: assignment.token, latest: .max))
        for mode in [Prolong.Mode.anew, .bound] {
            all.append(Prolong(mode, own, token: assignment.token, settings: settings))
        }
        all.append(
            Leave(
                room, connection: "c2", of: alice, holder: .node(holder), departure: .abrupt(.lost),
                settings: settings))
        all.append(Expel(alice, Expulsion(text: "out", ban: .seconds(60)), settings: settings))
        all.append(Pardon(alice, settings: settings))
        all.append(ClaimPartition(rooms, for: holder, live: [holder]))
        for entry in [HeldEntry.guests(room), .count(room)] {
            all.append(Sweep(rooms, token: assignment.token, of: .graces(dueBy: .max), [entry], settings: settings))
        }
        let entries = [HeldEntry.user(alice, connection: "c2")]
        all.append(Sweep(own, token: assignment.token, of: .node(holder), entries, settings: settings))
        all.append(
            Disconnect(next, session: session, holder: holder, departure: .farewell(.closed), settings: settings))
        all.append(Renounce(own, holder: holder, settings: settings))
        all.append(YieldPartition(own, token: assignment.token))
        guard let range = AddressRange("10.0.0.0/8") else { return all }
        return all + [
            BanAddresses(range, seconds: 60, reason: "x", most: 10), ReadBans(), LiftBan(of: range),
            NoteCall(BackendCall(key: "k", call: "PUT /v1/x", whom: "alice", status: 200)),
            ReadCalls(before: "", count: 2),
        ]
    }

    private func publishes(_ kept: Publish.Bound) -> [any Script] {
        let body = Array("1 5 alice{}".utf8)
        let mark = DedupeMark(owner: .user(alice), key: "k")
        var told = Publish(body, to: room, under: mark, limits: limits, candidate: "e1", link: "link0002")
        told.ledger = kept
        told.stream = kept
        told.sender = alice
        let inbox = RoomName(inboxOf: alice)
        return [
            Publish(body, to: room, limits: limits, candidate: "e1", link: "link0001"), told,
            Publish(body, to: inbox, limits: limits, candidate: "e1", link: "link0003"),
            FindPublished(told, number: 1),
        ]
    }

    /// Without what differs from call to call: the clock, and what is made of it.
    private static func shape(_ reply: RedisReply) -> String {
        if let array = reply.array { return "[\(array.map(shape).joined(separator: ", "))]" }
        guard let text = reply.string ?? reply.integer.map(String.init) else { return "-" }
        return text.replacing(/\d{13}(-\d+)?/, with: "#").replacing(/m?[ab]:\{[a-z]{2}\}/, with: "key")
    }
}
