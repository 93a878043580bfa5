import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// A resume that has moved the session, and whose joins are still on their way.
@Suite("Rooms of a session that is being resumed")
struct PresenceTakeoverTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let settings: PresenceSettings
    private let old = Holder(node: "n1", incarnation: 100)
    private let new = Holder(node: "n2", incarnation: 200)
    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "lesson-1")
    private let session = SessionID(of: UserID(unchecked: "alice"))
    private let told = ["member.joined alice lesson-1", "room.occupied  lesson-1", "user.online alice"]

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
        var settings = PresenceSettings.brisk(grace: .zero)
        settings.roomGrace = .zero
        self.settings = settings
    }

    private func connection(_ id: String) -> PresenceConnection {
        PresenceConnection(id: id, userId: alice, address: "")
    }

    /// Alice in the room by `c1` of the old node; the test is the coordinator.
    private func begin(remembers: Bool = true) async throws {
        for partition in Partition.all {
            _ = try await observer.link.send(["SET", .string(observer.keys.coordinator(partition).name), "n9:1 1"])
        }
        _ = try await observer.store.call(Connect(connection("c1"), session: session, by: old, settings: settings))
        try await join("c1", old, .new)
        if remembers {
            _ = try await observer.store.call(Remember(room, isIn: true, connection: "c1", session: session))
        }
    }

    private func join(_ id: String, _ holder: Holder, _ mode: Join.Mode) async throws {
        _ = try await observer.store.call(
            Join(
                room, connection: id, of: alice, info: Array("{}".utf8), holder: holder, mode: mode, settings: settings)
        )
    }

    /// Without a grace: the connection's are over with it.
    private func lose() async throws {
        _ = try await observer.store.call(
            Leave(room, connection: "c1", of: alice, holder: .node(old), departure: .abrupt(.lost), settings: settings))
        _ = try await observer.store.call(
            Disconnect(
                connection("c1"), session: session, holder: old, departure: .abrupt(.lost), settings: settings))
    }

    private func resume(_ id: String = "c2") async throws {
        let registering = Registering(connection(id), session: session, holder: new, settings: settings)
        let answer = try await observer.store.call(ResumeSession(registering))
        guard case .resumed = answer else { throw Unexpected("\(answer)") }
    }

    private struct Unexpected: Error {
        let answer: String
        init(_ answer: String) { self.answer = answer }
    }

    private func sweep(_ partition: Partition, dead: [Holder] = [], due: [HeldEntry] = []) async throws {
        let outcome = await withCheckedContinuation { continuation in
            Sweeper(store: observer.store, settings: settings)
                .sweep(partition, dead: dead, due: due, by: .max, token: "n9:1 1") {
                    continuation.resume(returning: $0)
                }
        }
        #expect(outcome == .swept)
    }

    private var member: HeldEntry { .member(alice, connection: "c1", room: room) }

    private func sweepGraces() async throws { try await sweep(Partition(of: room), due: [member]) }

    @Test func `no leave is told though the joins come after the rooms' grace`() async throws {
        try await begin()
        try await lose()
        try await resume()
        for _ in 0..<3 { try await sweepGraces() }
        #expect(try await observer.texts().sorted() == told)
        try await join("c2", new, .replacing("c1"))
        try await sweepGraces()
        #expect(try await observer.texts().sorted() == told)
        #expect(try await redis.cli("ZCARD", observer.keys.linger(Partition(of: room)).name) == "0")
    }

    @Test(arguments: [2, 4])
    func `nor though the session goes on elsewhere again before any join has come`(times: Int) async throws {
        try await begin()
        try await lose()
        for time in 0..<times { try await resume("c\(time + 2)") }
        try await sweepGraces()
        #expect(try await observer.texts().sorted() == told)
        try await join("c\(times + 1)", new, .replacing("c\(times)"))
        try await sweepGraces()
        #expect(try await observer.texts().sorted() == told)
    }

    @Test func `nor though the node that had the connection is dead, and swept`() async throws {
        try await begin()
        try await resume()
        for partition in Partition.all { try await sweep(partition, dead: [old]) }
        #expect(try await observer.holders() == ["n2:200"])
        #expect(try await observer.texts().sorted() == told)
        try await join("c2", new, .replacing("c1"))
        #expect(try await observer.texts().sorted() == told)
        #expect(try await redis.cli("SMEMBERS", observer.keys.connections(in: room).name) == "c2")
        #expect(try await redis.cli("ZCARD", observer.keys.linger(Partition(of: room)).name) == "0")
    }

    @Test func `it is told once the connection that was to come has gone without having come`() async throws {
        try await begin()
        try await lose()
        try await resume()
        try await sweepGraces()
        _ = try await observer.store.call(
            Disconnect(
                connection("c2"), session: session, holder: new, departure: .farewell(.closed), settings: settings))
        try await eventually("a leave") {
            try await sweepGraces()
            return try await observer.texts().contains("member.left alice lesson-1 lost")
        }
    }

    @Test(arguments: [true, false])
    func `and at once where the session brings back no such room, or nobody resumes it`(isResumed: Bool) async throws {
        try await begin(remembers: !isResumed)
        try await lose()
        if isResumed { try await resume() } else { try await sweepUser() }
        try await sweepGraces()
        #expect(try await observer.texts().contains("room.vacated  lesson-1 lost"))
    }

    @Test func `a member leaves after its user is offline, never before, since until then the session may be resumed`()
        async throws
    {
        try await begin()
        try await lose()
        try await sweepGraces()
        #expect(try await observer.texts().sorted() == told)
        try await sweepUser()
        try await eventually("a leave") {
            try await sweepGraces()
            return try await observer.texts().contains("member.left alice lesson-1 lost")
        }
        #expect(try await observer.texts().contains("user.offline alice lost"))
    }

    @Test func `a member whose connection is there, and is not in the room, leaves when its grace is over`()
        async throws
    {
        try await begin()
        _ = try await observer.store.call(
            Leave(room, connection: "c1", of: alice, holder: .node(old), departure: .abrupt(.lost), settings: settings))
        try await sweepGraces()
        #expect(try await observer.texts().contains("member.left alice lesson-1 lost"))
    }

    private func sweepUser() async throws {
        try await sweep(Partition(of: "alice"), due: [.user(alice, connection: "c1")])
    }
}
