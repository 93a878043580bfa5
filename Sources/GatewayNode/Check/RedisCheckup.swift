import Foundation
import Logging
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import Synchronization

/// Tries the Redis that a URL leads to, as a node would use it.
struct RedisCheckup: Sendable {
    private let configuration: RedisConfiguration
    private let prefix: String
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let logger = Logger(label: "check", factory: { _ in SwiftLogNoOpLogHandler() })

    private static let patience = TimeAmount.seconds(3)

    init(_ configuration: RedisConfiguration, prefix: String) {
        self.configuration = configuration
        self.prefix = prefix
    }

    func findings() async -> [Finding] {
        var findings: [Finding] = []
        var direct = configuration
        switch configuration.topology {
        case .single: break
        case .sentinel(let sentinels):
            let asked = await primary(by: sentinels)
            findings += asked.findings
            guard let primary = asked.primary else { return findings }
            direct.topology = .single(primary)
        case .cluster(let places):
            let asked = await member(of: places)
            findings += asked.findings
            guard let member = asked.member else { return findings }
            direct.peer = .clusterMember
            for primary in await primaries(by: member) {
                direct.topology = .single(primary)
                findings += (await server(direct)).map { $0.at("\(primary)") }
            }
            return findings
        }
        return findings + (await server(direct))
    }

    // MARK: Where it is

    private func primary(
        by sentinels: Sentinels
    ) async -> (primary: RedisConfiguration.Endpoint?, findings: [Finding]) {
        var findings: [Finding] = []
        var primary: RedisConfiguration.Endpoint?
        for place in sentinels.places {
            var asking = RedisConfiguration(endpoint: place)
            (asking.peer, asking.tls, asking.password) = (.sentinel, configuration.tls, sentinels.password)
            let answer = await withLink(asking) { link in
                try await link.send(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", .string(sentinels.name)])
            }
            switch answer {
            case .success(let reply):
                guard let host = reply[0].string, let port = reply[1].integer else {
                    findings.append(
                        .error("sentinel", "\(place) knows no \(sentinels.name)", "correct the name in redis.url"))
                    continue
                }
                let address = RedisConfiguration.Endpoint.tcp(host: host, port: Int(port))
                primary = primary ?? address
                findings.append(.ok("sentinel", "\(place) says that the primary is \(address)"))
            case .failure(let problem):
                findings.append(.warning("sentinel", "\(place) \(problem)", "start it, or take it out of redis.url"))
            }
        }
        if primary == nil { findings.append(.error("redis", "no sentinel names a primary", "see above")) }
        return (primary, findings)
    }

    private func member(
        of places: [RedisConfiguration.Endpoint]
    ) async -> (member: RedisConfiguration.Endpoint?, findings: [Finding]) {
        for place in places {
            var asking = configuration
            (asking.topology, asking.peer) = (.single(place), .clusterMember)
            let answer = await withLink(asking) { try await $0.send(["CLUSTER", "INFO"]) }
            guard case .success(let reply) = answer else { continue }
            let fields = RedisCheckup.fields(reply.string ?? "")
            guard fields["cluster_state"] == "ok" else {
                let state = fields["cluster_state"] ?? "unknown"
                return (
                    place,
                    [.error("redis cluster", "its state is \(state)", "give every slot to a server that answers")]
                )
            }
            return (place, [.ok("redis cluster", "\(fields["cluster_size"] ?? "?") shards, all slots served")])
        }
        return (nil, [.error("redis cluster", "none of the servers in redis.url answers", "start them, or correct it")])
    }

    /// The servers that have slots, as one of them knows them; that one alone where it does not say.
    private func primaries(by member: RedisConfiguration.Endpoint) async -> [RedisConfiguration.Endpoint] {
        var asking = configuration
        (asking.topology, asking.peer) = (.single(member), .clusterMember)
        let answer = await withLink(asking) { try await $0.send(["CLUSTER", "SLOTS"]) }
        guard case .success(let reply) = answer else { return [member] }
        var primaries: [RedisConfiguration.Endpoint] = []
        for range in reply.array ?? [] {
            guard let port = range[2][1].integer else { continue }
            // A server that knows no name of its own is the one that was asked.
            let name = range[2][0].string ?? ""
            let place: RedisConfiguration.Endpoint
            if !name.isEmpty {
                place = .tcp(host: name, port: Int(port))
            } else if case .tcp(let host, _) = member {
                place = .tcp(host: host, port: Int(port))
            } else {
                continue
            }
            if !primaries.contains(place) { primaries.append(place) }
        }
        return primaries.isEmpty ? [member] : primaries
    }

    // MARK: What it is like

    private func server(_ direct: RedisConfiguration) async -> [Finding] {
        let result = await withLink(direct) { link in
            let info = RedisCheckup.fields(try await link.send(["INFO"]).string ?? "")
            var findings = RedisCheckup.judge(info)
            findings.append(try await latency(link))
            findings.append(try await clock(link))
            findings.append(await scripts(link))
            findings.append(await rights(link))
            return findings
        }
        switch result {
        case .success(let findings):
            return [.ok("redis", "\(direct) answers")] + findings + [await roundTrip(direct)]
        case .failure(let problem):
            return [.error("redis", "\(direct) \(problem)", "start it, or correct redis.url")]
        }
    }

    /// What INFO says, without a Redis.
    static func judge(_ info: [String: String]) -> [Finding] {
        var findings: [Finding] = []
        let version = info["redis_version"] ?? "unknown"
        let major = version.split(separator: ".").first.flatMap { Int($0) } ?? 0
        findings.append(
            major >= 7
                ? .ok("redis version", version) : .error("redis version", version, "7.0 or later is needed"))
        let role = info["role"] ?? "unknown"
        findings.append(
            role == "master"
                ? .ok("redis role", "primary") : .error("redis role", role, "lead redis.url to the primary"))
        let policy = info["maxmemory_policy"] ?? "unknown"
        findings.append(
            policy == "noeviction"
                ? .ok("redis policy", policy)
                : .error("redis policy", policy, "set maxmemory-policy noeviction: else Redis forgets who is there"))
        let (limit, used) = (Int(info["maxmemory"] ?? "") ?? 0, Int(info["used_memory"] ?? "") ?? 0)
        if limit == 0 {
            findings.append(
                .warning("redis memory", "\(used >> 20) MiB used, no maxmemory", "set one, so that redis.budget counts")
            )
        } else {
            let share = used * 100 / limit
            let detail = "\(share) % of \(limit >> 20) MiB used"
            findings.append(
                share < 80 ? .ok("redis memory", detail) : .warning("redis memory", detail, "give it more"))
        }
        let writes = [info["rdb_last_bgsave_status"], info["aof_last_write_status"]].compactMap(\.self)
        if writes.contains(where: { $0 != "ok" }) {
            findings.append(.error("redis persistence", "its last write failed", "look at its disk and its log"))
        } else if info["aof_enabled"] == "1" {
            findings.append(.ok("redis persistence", "append-only file"))
        } else {
            findings.append(
                .warning("redis persistence", "no append-only file", "set appendonly yes, or a restart loses messages"))
        }
        let replicas = Int(info["connected_slaves"] ?? "") ?? 0
        findings.append(
            replicas > 0
                ? .ok("redis replicas", "\(replicas)")
                : .warning("redis replicas", "none", "without one the site is away while Redis is"))
        return findings
    }

    private func latency(_ link: RedisCommandLink) async throws -> Finding {
        var times: [Duration] = []
        let clock = ContinuousClock()
        for _ in 0..<200 {
            let began = clock.now
            _ = try await link.send(["PING"])
            times.append(began.duration(to: clock.now))
        }
        times.sort()
        func show(_ time: Duration) -> String { "\((time / .microseconds(10)).rounded() / 100) ms" }
        let detail = "p50 \(show(times[100])), p99 \(show(times[198])), most \(show(times[199]))"
        guard times[198] < .milliseconds(10) else {
            return .warning("redis latency", detail, "bring it nearer: a publish waits for it")
        }
        return .ok("redis latency", detail)
    }

    private func clock(_ link: RedisCommandLink) async throws -> Finding {
        let reply = try await link.send(["TIME"])
        let theirs = Double(reply[0].integer ?? 0) + Double(reply[1].integer ?? 0) / 1e6
        let off = abs(theirs - Date().timeIntervalSince1970)
        let detail = "\((off * 1000).rounded() / 1000) s from this machine's"
        guard off < 2 else { return .warning("redis clock", detail, "set both by NTP: tokens end by this machine's") }
        return .ok("redis clock", detail)
    }

    private func scripts(_ link: RedisCommandLink) async -> Finding {
        do throws(RedisError) {
            _ = try await link.send(["SCRIPT", "LOAD", "return 1"])
            _ = try await link.send(["EVAL", "return redis.call('TIME')", 0])
            return .ok("redis scripts", "are loaded and run")
        } catch {
            return .error("redis scripts", "\(error)", "allow its user SCRIPT, EVAL and EVALSHA")
        }
    }

    /// What Redis's ACL allows the user.
    private func rights(_ link: RedisCommandLink) async -> Finding {
        let arguments = NodeRights.questioned(prefix: prefix, database: configuration.database)
        do throws(RedisError) {
            let question: [RedisArgument] = ["EVAL", .string(NodeRights.question), 0]
            let reply = try await link.send(question + arguments.map { .string($0) })
            let missing = (reply.array ?? []).compactMap(\.string)
            guard missing.isEmpty else {
                return .error(
                    "redis acl", "its user lacks \(missing.joined(separator: " "))",
                    "allow it by ACL SETUSER; `martlet check --acl` prints all that a node needs")
            }
            return .ok("redis acl", "its user may do all that a node does")
        } catch {
            return .error("redis acl", "\(error)", "`martlet check --acl` prints all that a node needs")
        }
    }

    // MARK: Publish and subscribe

    private func roundTrip(_ direct: RedisConfiguration) async -> Finding {
        let channel = "\(prefix):check:\(UUID().uuidString)"
        let isHeard = await withLink(direct) { link in
            let ear = Ear()
            let subscriber = RedisSubscriber(
                configuration: direct, eventLoop: loop, logger: logger, handler: ear)
            subscriber.start()
            subscriber.subscribe([channel])
            let clock = ContinuousClock()
            let end = clock.now + .seconds(3)
            while clock.now < end, !ear.hasHeard {
                _ = try await link.send(["PUBLISH", .string(channel), "1"])
                try await Task.sleep(for: .milliseconds(20))
            }
            try await subscriber.shutdown().get()
            return ear.hasHeard
        }
        switch isHeard {
        case .success(true): return .ok("redis pub/sub", "a message came back")
        case .success(false):
            return .error(
                "redis pub/sub", "no message came back", "allow its user the channels &\(prefix):* (ACL SETUSER)")
        case .failure(let problem):
            return .error("redis pub/sub", problem.description, "allow its user PUBLISH and &\(prefix):* (ACL SETUSER)")
        }
    }

    // MARK: Links

    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// Why a link is not up.
    private final class Reason: Sendable {
        private let last = Mutex<String?>(nil)

        var text: String? { last.withLock { $0 } }

        func note(_ state: RedisLinkState) {
            last.withLock { last in
                switch state {
                case .connected: last = nil
                case .disconnected(let reason), .unfit(let reason): last = reason
                case .refused(let message): last = message
                }
            }
        }
    }

    /// Hears whether anything comes.
    private final class Ear: RedisSubscriptionHandler {
        private let isStruck = Atomic<Bool>(false)

        var hasHeard: Bool { isStruck.load(ordering: .relaxed) }

        func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
            isStruck.store(true, ordering: .relaxed)
        }

        func subscriptionConnected(_ slots: SlotGroup, afterBreak: Bool) {}
        func subscriptionLost(_ slots: SlotGroup) {}
        func subscribed(channel: String) {}
        func readComplete() {}
    }

    private func withLink<Value: Sendable>(
        _ configuration: RedisConfiguration, _ body: @Sendable (RedisCommandLink) async throws -> Value
    ) async -> Result<Value, Problem> {
        var patient = configuration
        patient.connectTimeout = .seconds(3)
        let reason = Reason()
        let link = RedisCommandLink(
            configuration: patient, eventLoop: loop, logger: logger, onState: { reason.note($0) })
        link.start()
        let result: Result<Value, Problem>
        do {
            _ = try await link.send(["PING"], timeout: RedisCheckup.patience)
            result = .success(try await body(link))
        } catch {
            result = .failure(Problem(description: reason.text ?? "does not answer: \(error)"))
        }
        // A link that is closed already is as good.
        try? await link.shutdown().get()
        return result
    }

    /// `INFO` and its like, by field.
    private static func fields(_ text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[String(line[..<colon])] = String(line[line.index(after: colon)...])
        }
        return fields
    }
}

extension Settings {
    /// What makes a user of Redis who may do what a node does, and no more.
    package var redisUserCommand: String {
        // A URL that cannot be read says nothing of a database.
        let database = redisURL.flatMap { try? RedisConfiguration(url: $0) }?.database ?? 0
        let rules = NodeRights.rules(prefix: backend.prefix, database: database)
        return (["ACL", "SETUSER", "martlet", "on", ">PASSWORD"] + rules).joined(separator: " ")
    }
}
