import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Departures that come to a Redis which has lost what they are of.
@Suite("Departures that Redis has no record of")
struct PresenceForgottenTests {
    private typealias Known = RegistrationMachine.Departed.Known

    private let redis: RedisServerProcess
    private let observer: Observer
    private let settings = PresenceSettings.brisk(grace: .seconds(60))
    private let old = Holder(node: "n1", incarnation: 100)
    private let new = Holder(node: "n1", incarnation: 101)
    private let alice = UserID(unchecked: "alice")
    private let session = SessionID(of: UserID(unchecked: "alice"))

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func connection(_ id: String) -> PresenceConnection {
        PresenceConnection(id: id, userId: alice, address: "")
    }

    /// Registers it; answers what its node knows then.
    private func connect(
        _ id: String, _ session: SessionID, by holder: Holder = Holder(node: "n1", incarnation: 100)
    ) async throws -> Known {
        let connect = Connect(connection(id), session: session, by: holder, settings: settings)
        guard case .registered(let registered) = try await observer.store.call(connect) else {
            throw NeverHappened(description: "no registration")
        }
        return Known(since: registered.since, settled: holder.incarnation, isInvisible: false, shown: [])
    }

    private func disconnect(
        _ id: String, _ session: SessionID, _ departure: Departure, _ known: Known, by holder: Holder
    ) async throws -> Disconnect.Answer {
        try await observer.store.call(
            Disconnect(
                connection(id), session: session, holder: holder, departure: departure, known: known,
                settings: settings))
    }

    private func lose() async throws { _ = try await redis.cli("FLUSHALL") }

    private func sweep() async throws {
        let partition = Partition(of: "alice")
        _ = try await observer.link.send(["SET", .string(observer.keys.coordinator(partition).name), "n9:1 1"])
        let outcome = await withCheckedContinuation { continuation in
            Sweeper(store: observer.store, settings: settings).sweep(
                partition, dead: [], due: [.user(alice, connection: "c1")], by: .max, token: "n9:1 1"
            ) { continuation.resume(returning: $0) }
        }
        #expect(outcome == .swept)
    }

    @Test(arguments: [Departure.farewell(.closed), .abrupt(.lost)], [true, false])
    func `one that Redis has lost is in its grace, and goes once that is over`(
        departure: Departure, isRenewed: Bool
    ) async throws {
        let known = try await connect("c1", session)
        try await lose()
        // Also where the call was made before the node took another incarnation.
        let holder = isRenewed ? new : old
        #expect(try await disconnect("c1", session, departure, known, by: holder) == .forgotten)
        #expect(try await observer.texts() == ["user.online alice restored"])
        #expect(try await redis.cli("ZCARD", observer.keys.online(Partition(of: "alice")).name) == "1")
        #expect(try await redis.cli("EXISTS", observer.keys.session(session).name) == "0", "nobody goes on with it")
        for key in [observer.keys.connections(of: alice), observer.keys.online(Partition(of: "alice"))] {
            #expect(try await observer.link.send(["PTTL", .string(key.name)]).integer ?? 0 > 60_000)
        }
        // A retry finds its grace.
        #expect(try await disconnect("c1", session, departure, known, by: holder) == .notHeld)
        try await sweep()
        let told = ["user.online alice restored", "user.offline alice \(departure.cause.rawValue)"]
        #expect(try await observer.texts() == told)
        // A late one finds that this was told.
        #expect(try await disconnect("c1", session, departure, known, by: new) == .notHeld)
        #expect(try await observer.texts() == told)
    }

    @Test func `nobody goes where the user is registered again by then`() async throws {
        let known = try await connect("c1", session)
        try await lose()
        #expect(try await disconnect("c1", session, .farewell(.closed), known, by: new) == .forgotten)
        let other = Holder(node: "n2", incarnation: 7)
        _ = try await observer.store.call(
            Connect(connection("c2"), session: SessionID(of: alice), by: other, again: 5, settings: settings))
        try await sweep()
        #expect(try await observer.texts() == ["user.online alice restored"])
    }

    @Test func `one whose farewell was carried out, and asked for again, is not brought back`() async throws {
        let known = try await connect("c1", session)
        _ = try await connect("c2", SessionID(of: alice))
        #expect(try await disconnect("c1", session, .farewell(.closed), known, by: old) == .gone)
        #expect(try await disconnect("c1", session, .farewell(.closed), known, by: old) == .notHeld)
        #expect(try await observer.texts() == ["user.online alice"])
    }

    @Test func `nor is one whose node was swept meanwhile, of which others were told`() async throws {
        let known = try await connect("c1", session)
        _ = try await observer.store.call(
            Renounce(Partition(of: "alice"), holder: new, settings: settings))
        _ = try await redis.cli("DEL", observer.keys.connections(of: alice).name)
        _ = try await redis.cli("DEL", observer.keys.session(session).name)
        #expect(try await disconnect("c1", session, .abrupt(.lost), known, by: new) == .notHeld)
    }

    @Test func `nor is one whose session has gone on elsewhere`() async throws {
        let known = try await connect("c1", session)
        try await lose()
        _ = try await connect("c2", session, by: Holder(node: "n2", incarnation: 7))
        #expect(try await disconnect("c1", session, .farewell(.closed), known, by: new) == .replaced)
    }

    @Test func `one who is invisible was seen by nobody`() async throws {
        var known = try await connect("c1", session)
        known.isInvisible = true
        try await lose()
        #expect(try await disconnect("c1", session, .farewell(.closed), known, by: new) == .forgotten)
        try await sweep()
        #expect(try await observer.texts() == ["user.online alice restored", "user.offline alice closed"])
        #expect(try await redis.cli("EXISTS", observer.keys.seen(Partition(of: "alice")).name) == "0")
    }
}
