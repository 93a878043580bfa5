import GatewayCore
import Logging
import RedisBackend
import RedisClient
import TestKit
import Testing
import TestSupport

/// Redis's own time for the scripts that heed a room's settings, in rooms with and without, one call at a time and in
/// shuffled turns, so that a busy machine slows all alike: what each call took by Redis's count, and what its processor did
/// for it in all, reading the command and writing answer and messages to two nodes included. The quicker half of the rounds
/// counts, by its mean.
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
    private let redis: RedisServerProcess
    private let observer: Observer
    private let listener = ChannelListener { _ in }

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
    }

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

    private struct Times {
        var script: [Double] = []
        var whole: [Double] = []

        static func typical(_ times: [Double]) -> Int {
            let quicker = times.sorted().prefix(max(1, times.count / 2))
            return Int(quicker.reduce(0, +) / Double(max(1, quicker.count)))
        }
    }

    /// Seconds that Redis's processor was busy until now.
    private func busy() async throws -> Double {
        let info = try await observer.link.send(["INFO", "cpu"]).string ?? ""
        return info.matches(of: /used_cpu_(?:user|sys):([\d.]+)/).reduce(0) { $0 + (Double($1.1) ?? 0) }
    }

    /// Nanoseconds of Redis's time for each of these calls: in the script, and in all.
    private func time<Called: Script>(_ calls: [Called]) async throws -> (script: Double, whole: Double) {
        _ = try await observer.link.send(["CONFIG", "RESETSTAT"])
        let before = try await busy()
        for call in calls { _ = try await observer.store.call(call) }
        let whole = try await busy() - before
        let stats = try await observer.link.send(["INFO", "commandstats"]).string ?? ""
        let found = stats.firstMatch(of: /cmdstat_evalsha:calls=(\d+),usec=(\d+)/)
        let (count, time) = (found.flatMap { Double($0.1) }, found.flatMap { Double($0.2) })
        return (1000 * (try #require(time)) / (try #require(count)), 1e9 * whole / Double(calls.count))
    }

    private func measure<Called: Script>(
        _ what: String, operations: Int, _ calls: (_ kind: Int, _ round: Int) async throws -> [Called]
    ) async throws {
        let kinds = GovernedRoomMicrobenchmarks.kinds
        var times = kinds.map { _ in Times() }
        for round in 0...(Microbenchmark.rounds ?? 1) {
            for kind in kinds.indices.shuffled() {
                let time = try await time(try await calls(kind, round))
                // The first round warms up.
                guard round > 0 else { continue }
                times[kind].script.append(time.script)
                times[kind].whole.append(time.whole)
            }
        }
        for (kind, time) in zip(kinds, times) {
            let name = "\(what) \(kind.name)"
            print(
                "microbenchmark|\(what)|\(operations)|\(Times.typical(time.script))|Redis's time in the script of a \(name)"
            )
            print("microbenchmark|\(what)|\(operations)|\(Times.typical(time.whole))|Redis's time for a \(name) in all")
        }
    }

    @Test func publish() async throws {
        // Where Redis has put a room makes a tenth of its time: each kind has several.
        let rooms = 0..<20
        for (index, kind) in GovernedRoomMicrobenchmarks.kinds.enumerated() {
            for number in rooms { try await govern(room(index, number), as: kind) }
        }
        let channels = GovernedRoomMicrobenchmarks.kinds.indices.flatMap { kind in
            rooms.map { observer.keys.channel(room(kind, $0)).name }
        }
        let nodes = try (0..<2).map { _ in
            RedisSubscriber(
                configuration: try RedisConfiguration(url: redis.url), eventLoop: observer.link.eventLoop,
                logger: Logger(label: "test"), handler: listener)
        }
        for node in nodes {
            node.subscribe(channels)
            node.start()
        }
        try await eventually { listener.subscriptions == channels.count * nodes.count }
        let limits = LogLimits(size: 1000, age: .seconds(3600))
        try await measure("publish", operations: 500) { kind, round in
            (0..<500).map { number in
                // In slow mode each is another user's.
                let user = "user-\(round)-\(number)"
                let text = "1 \(user.utf8.count) \(user)" + #"{"text":"Hello, this is a message of usual length"}"#
                var publish = Publish(
                    Array(text.utf8), to: room(kind, number % rooms.count), limits: limits,
                    candidate: "e00000000001", link: "link0001")
                publish.sender = UserID(unchecked: user)
                return publish
            }
        }
        for node in nodes { try await node.shutdown().get() }
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
