import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// One user's list in a room, which holds each of its connections.
@Suite("A user's many connections in one room", .serialized)
struct PresenceManyTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private let settings = PresenceSettings.brisk()
    private let holder = Holder(node: "n1", incarnation: 100)
    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "r")

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

    private func join(_ id: String, info: String = "{}", holder: Holder, replacing: String? = nil) async throws {
        let answer = try await observer.store.call(
            Join(
                room, connection: id, of: alice, info: Array(info.utf8), holder: holder,
                mode: replacing.map { .replacing($0) } ?? .new, settings: settings))
        guard case .joined(let roster, _) = answer else { throw NeverHappened(description: "\(answer)") }
        #expect(roster.members == 1)
    }

    private func leave(_ id: String, _ departure: Departure = .farewell(.explicit)) async throws -> Leave.Answer {
        try await observer.store.call(
            Leave(room, connection: id, of: alice, holder: .node(holder), departure: departure, settings: settings))
    }

    private func member() async throws -> Member? {
        let key = observer.keys.members(room).name
        let packed = try await observer.link.send(["HGET", .string(key), "alice"])
        return packed.isNull ? nil : packed.withBytes { PackedMember.unpack($0, user: alice) }
    }

    @Test func `names that end others, and infos that look like connections, are told apart`() async throws {
        let infos = ["{}", #"{ "a": "b n1:100 2 {}", "c" : "d\u0001n1:100 2 {}" }"#, ""]
        let names = ["b", "ab", "-ab", "_-ab", "d", "x}d"]
        for (number, name) in names.enumerated() { try await join(name, info: infos[number % 3], holder: holder) }
        #expect(try await member()?.connections == 6)
        #expect(try await member()?.info == Array("".utf8))
        // Joined again it counts once, and its info is the latest.
        try await join("ab", info: #"{"e":1}"#, holder: holder)
        #expect(try await member()?.connections == 6)
        #expect(try await member()?.info == Array(#"{"e":1}"#.utf8))
        try await join("f", info: #"{"g":2}"#, holder: holder, replacing: "b")
        #expect(try await member()?.info == Array(#"{"g":2}"#.utf8))
        #expect(try await leave("b") == .notHeld)
        #expect(try await leave("ab", .abrupt(.lost)) == .gone)
        #expect(try await member()?.connections == 5)
        for (left, name) in ["-ab", "f", "d", "_-ab"].enumerated() {
            #expect(try await leave(name) == .gone)
            #expect(try await member()?.connections == 4 - left)
        }
        #expect(try await leave("x}d") == .gone)
        #expect(try await observer.texts().filter { $0.hasPrefix("member.left") } == [])
        // The one in its grace is the last.
        #expect(try await redis.cli("HLEN", observer.keys.members(room).name) == "1")
    }

    @Test func `what is shown of a user is kept once, however many connections there are`() async throws {
        let info = #"{"n":"\#(String(repeating: "x", count: 2000))"}"#
        for number in 0..<100 { try await join("connection-\(number)", info: info, holder: holder) }
        let key = observer.keys.members(room).name
        let length = try #require(Int(try await redis.cli("HSTRLEN", key, "alice")))
        #expect(length < info.utf8.count + 100 * 40)
        for number in (0..<100).reversed() {
            #expect(try await member()?.info == Array(info.utf8))
            #expect(try await member()?.connections == number + 1)
            #expect(try await leave("connection-\(number)") == .gone)
        }
        #expect(try await member() == nil)
    }

    @Test func `a sweep takes one node's away and leaves another's, and tells of the user with the last`() async throws
    {
        let other = Holder(node: "n2", incarnation: 100)
        for number in 0..<600 { try await join("c\(number)", holder: number % 3 == 0 ? other : holder) }
        let partition = Partition(of: room)
        _ = try await observer.link.send(["SET", .string(observer.keys.coordinator(partition).name), "n9:1 1"])
        for (dead, left) in [(holder, 200), (other, nil as Int?)] {
            let outcome = await withCheckedContinuation { continuation in
                Sweeper(store: observer.store, settings: settings).sweep(
                    partition, dead: [dead], due: [], by: 0, token: "n9:1 1"
                ) {
                    continuation.resume(returning: $0)
                }
            }
            #expect(outcome == .swept)
            #expect(try await member()?.connections == left)
            #expect(try await redis.cli("SCARD", observer.keys.connections(in: room).name) == "\(left ?? 0)")
        }
        let told = try await observer.texts()
        #expect(
            told == [
                "room.occupied  r", "member.joined alice r", "member.left alice r node_lost",
                "room.vacated  r node_lost",
            ])
    }
}
