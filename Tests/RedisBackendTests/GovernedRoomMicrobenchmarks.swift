import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// Redis's own time for the scripts that heed a room's settings, in rooms with and without: what each call took by its
/// count, in turns, so that a busy machine slows all alike. The best round of each counts.
@Suite(.enabled(if: Microbenchmark.rounds != nil), .serialized)
struct GovernedRoomMicrobenchmarks {
    private struct Kind {
        let name: String
        /// Nil for a room without settings.
        var settings: RoomSettings?
        /// Whether some users have a role and some are mute.
        var hasPeople = false
    }

    private static let kinds: [Kind] = {
        let plain = RoomSettings(text: Array(#"{"title":"Algebra","maxMembers":1000}"#.utf8))
        var (counted, roles, slow) = (plain, plain, plain)
        counted.maxMembers = 1000
        roles.roles = [RoleRights(role: .member, rights: [.join, .publish])]
        slow.slowMode = 1
        return [
            Kind(name: "without settings"), Kind(name: "with settings", settings: counted),
            Kind(name: "with settings, roles and mutes", settings: roles, hasPeople: true),
            Kind(name: "with settings and slow mode", settings: slow),
        ]
    }()

    private static let settings = PresenceSettings()
    private let observer: Observer

    init() throws { observer = try Observer(RedisServerProcess()) }

    private func room(_ kind: Int, _ number: Int = 0) -> RoomName { RoomName(unchecked: "k\(kind)-\(number)") }

    private func govern(_ room: RoomName, as kind: Kind) async throws {
        guard let settings = kind.settings else { return }
        _ = try await observer.store.call(Govern(room, .set(settings), replacing: 0, link: "link0001"))
        guard kind.hasPeople else { return }
        for number in 0..<10 {
            let user = UserID(unchecked: "other\(number)")
            for act in [RoomOrder.Act.role(.moderator), .mute(until: nil)] {
                _ = try await observer.store.call(Moderate(RoomOrder(act, user, in: room), link: "link0001"))
            }
        }
    }

    /// Nanoseconds of Redis's time for each of these calls.
    private func time<Called: Script>(_ calls: [Called]) async throws -> Double {
        _ = try await observer.link.send(["CONFIG", "RESETSTAT"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for call in calls { group.addTask { _ = try await observer.store.call(call) } }
            try await group.waitForAll()
        }
        let stats = try await observer.link.send(["INFO", "commandstats"]).string ?? ""
        let found = stats.firstMatch(of: /cmdstat_evalsha:calls=(\d+),usec=(\d+)/)
        let (count, time) = (found.flatMap { Double($0.1) }, found.flatMap { Double($0.2) })
        return 1000 * (try #require(time)) / (try #require(count))
    }

    private func measure<Called: Script>(
        _ what: String, operations: Int, _ calls: (_ kind: Int, _ round: Int) async throws -> [Called]
    ) async throws {
        var best = GovernedRoomMicrobenchmarks.kinds.map { _ in Double.infinity }
        for round in 0...(Microbenchmark.rounds ?? 1) {
            for kind in best.indices {
                best[kind] = min(best[kind], try await time(try await calls(kind, round)))
            }
        }
        for (kind, time) in zip(GovernedRoomMicrobenchmarks.kinds, best) {
            print("microbenchmark|\(what)|\(operations)|\(Int(time))|Redis's time for a \(what) \(kind.name)")
        }
    }

    @Test func publish() async throws {
        for (index, kind) in GovernedRoomMicrobenchmarks.kinds.enumerated() { try await govern(room(index), as: kind) }
        let limits = LogLimits(size: 1000, age: .seconds(3600))
        try await measure("publish", operations: 500) { kind, round in
            (0..<500).map { number in
                // In slow mode each is another user's.
                let user = "user-\(round)-\(number)"
                let text = "1 \(user.utf8.count) \(user)" + #"{"text":"Hello, this is a message of usual length"}"#
                var publish = Publish(
                    Array(text.utf8), to: room(kind), limits: limits, candidate: "e00000000001", link: "link0001")
                publish.heedsSettings = true
                return publish
            }
        }
    }

    @Test func join() async throws {
        let holder = Holder(node: "n1", incarnation: 1)
        try await measure("join", operations: 90) { kind, round in
            // Rooms of thirty, which begin empty.
            for number in 0..<3 {
                try await govern(room(kind, 3 * round + number), as: GovernedRoomMicrobenchmarks.kinds[kind])
            }
            return (0..<90).map { number in
                Join(
                    room(kind, 3 * round + number / 30), connection: "c\(round)-\(number)",
                    of: UserID(unchecked: "user-\(number)"), info: Array("{}".utf8), holder: holder, isKnown: true,
                    hasOthers: number % 30 > 0, mode: .new, settings: GovernedRoomMicrobenchmarks.settings)
            }
        }
    }
}
