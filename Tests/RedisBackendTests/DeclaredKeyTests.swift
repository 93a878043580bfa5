import GatewayCore
import RedisClient
import TestKit
import Testing

@testable import RedisBackend

/// With a Cluster each call declares one key more, so that a slot on the move freezes as a whole.
@Suite("Keys that a call declares")
struct DeclaredKeyTests {
    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "r")
    private let holder = Holder(node: "n1", incarnation: 5)
    private let settings = PresenceSettings()
    private let limits = LogLimits(size: 10, age: .seconds(60))

    @Test("a key that is declared behind a script's own changes none of its answers")
    func oneMore() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let (plain, guarded) = (Keys(prefix: "a"), Keys(prefix: "b"))
        var called: Set<String> = []
        for make in calls() {
            let (first, second) = (make(plain), make(guarded))
            let (left, right) = (first.spelled(with: plain), second.spelled(with: guarded))
            called.insert(first.file.name)
            let expected = try await observer.link.call(first.file, keys: left.declared, arguments: left.arguments)
            let key = try #require(right.keys.first)
            let more = key.name.prefix { $0 != "}" } + "}:none"
            let found = try await observer.link.call(
                second.file, keys: right.declared + [String(more)], arguments: right.arguments)
            #expect(Self.shape(found) == Self.shape(expected), "\(first.file.name)")
        }
        #expect(Set(Scripts.all.map(\.name)) == called)
        #expect(try await redis.cli("KEYS", "*:none") == "")
    }

    /// In an order in which each finds something.
    private func calls() -> [@Sendable (Keys) -> any Script] {
        let (own, rooms) = (Partition(of: alice.string), Partition(of: room))
        let connection = PresenceConnection(id: "c1", userId: alice, address: "")
        let next = PresenceConnection(id: "c2", userId: alice, address: "")
        let session = SessionID(of: alice)
        let info = Array("{}".utf8)
        let settings = settings, limits = limits, room = room, alice = alice, holder = holder
        let body = Array("1 5 alice{}".utf8)
        let post = LedgerPost(partition: own.number, mark: "n1:5 1")
        let node = Beat.Node("n1", instance: "i", lease: .seconds(3))
        let signal = Signal(room: room, from: alice, to: alice, payload: info)
        let dead = Publish.Bound(entries: 10, bytes: 1 << 20)
        let range = AddressRange("10.0.0.0/8")
        return [
            { _ in MeetRun(in: own) }, { _ in Agree(on: .sessionKey, proposal: "x") },
            { _ in Beat(.register(after: 4), of: node, description: "1 0 0 0 v", declaringUntil: 0) },
            { _ in ClaimPartition(own, for: holder, live: [holder]) },
            { _ in Connect(connection, session: session, by: holder, settings: settings) },
            { _ in
                ResumeSession(Registering(next, session: session, holder: holder, settings: settings))
            },
            { _ in
                Join(room, connection: "c2", of: alice, info: info, holder: holder, mode: .new, settings: settings)
            },
            { _ in
                Join(room, connection: "c2", of: alice, info: info, holder: holder, mode: .again, settings: settings)
            },
            { _ in Remember(room, isIn: true, connection: "c2", session: session) },
            { _ in PassSignal(signal, connection: "c2") }, { _ in Admit(alice, issuedAt: 1) },
            { _ in Publish(body, to: room, limits: limits, candidate: "e1", operation: "link00001") },
            { _ in
                let mark = DedupeMark(owner: .user(alice), key: "k")
                var publish = Publish(
                    body, to: room, under: mark, limits: limits, candidate: "e1", operation: "link00002")
                publish.ledger = dead
                publish.stream = dead
                return publish
            },
            { _ in
                Publish(
                    body, to: RoomName(inboxOf: alice), limits: limits, candidate: "e1", operation: "link00003")
            },
            { _ in
                let part = LogPart(after: 0, limit: 10)
                return AskPosition(room, hasRoster: true, limits: limits, reading: part, candidate: "e1")
            },
            { _ in AskPosition(room, hasRoster: false, limits: limits, reading: nil, candidate: "e1") },
            { _ in ReadHeads(of: [room], in: rooms) },
            { _ in
                ReadHistory(of: room, range: HistoryRange(edge: .newest, limit: 5), age: .seconds(60), candidate: "e1")
            },
            { _ in ReadStates(of: [alice], in: own) }, { ReadPage(of: $0.online(own), limit: 5, after: nil) },
            { Touch([($0.online(own), .seconds(200)), ($0.seen(own), .seconds(200))][...]) },
            { _ in
                Compare([.user(alice, connection: "c2", session: session)], in: own, holder: holder)
            },
            { _ in
                Compare([.member(alice, connection: "c2", room: room)], in: rooms, holder: holder)
            },
            { _ in Gather(post, for: "w", candidate: "b1") },
            { _ in Settle(.failed(problem: "x"), of: post, for: "w", deadLetters: dead) },
            { _ in ReadBacklog(of: "w", in: own) }, { _ in Replay(own, for: "w", from: "0-0", types: nil) },
            { _ in Trim(post, receivers: ["w"], kept: 10, forgottenAfter: .seconds(60)) },
            { Shrink([($0.events(own), 1 << 20)]) }, { _ in Look(at: own, mark: post.mark) },
            { _ in
                Leave(
                    room, connection: "c2", of: alice, holder: .node(holder), departure: .abrupt(.lost),
                    settings: settings)
            },
            { _ in Expel(alice, Expulsion(text: "out", ban: .seconds(60)), settings: settings) },
            { _ in Pardon(alice, settings: settings) },
            { _ in
                Sweep(own, mark: post.mark, of: .node(holder), [.user(alice, connection: "c2")], settings: settings)
            },
            { _ in
                Disconnect(next, session: session, holder: holder, departure: .farewell(.closed), settings: settings)
            },
            { _ in Renounce(own, holder: holder, settings: settings) },
            { _ in YieldPartition(own, mark: post.mark) },
        ]
            + (range.map { range -> [@Sendable (Keys) -> any Script] in
                [
                    { _ in BanAddresses(range, seconds: 60, reason: "x", most: 10) }, { _ in ReadBans() },
                    { _ in LiftBan(of: range) },
                ]
            } ?? [])
    }

    /// Without what differs from call to call: the clock, and what is made of it.
    private static func shape(_ reply: RedisReply) -> String {
        if let array = reply.array { return "[\(array.map(shape).joined(separator: ", "))]" }
        guard let text = reply.string ?? reply.integer.map(String.init) else { return "-" }
        return text.replacing(/\d{13}(-\d+)?/, with: "#").replacing(/m?[ab]:\{p\d+\}/, with: "key")
    }
}
