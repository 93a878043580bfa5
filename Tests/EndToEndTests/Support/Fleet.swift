import Foundation
import RedisBackend
import TestKit
import TestSupport

/// Some node processes on one Redis, and what can be read of all of them.
final class Fleet: Sendable {
    let redis: RedisServerProcess
    /// Where it is a Cluster; `redis` is then its first server.
    let cluster: ClusterGroup?
    let nodes: [NodeProcess]

    /// Nodes named n0, n1, …; ready, and each long enough there that it may declare another dead.
    ///
    /// - Parameters:
    ///   - configuration: the path of a YAML file.
    ///   - clocks: by how much the wall clock of each node is wrong; those not named have the machine's.
    static func start(
        _ count: Int, _ options: RedisServerProcess.Options = .init(), environment: [String: String] = [:],
        configuration: String? = nil, clocks: [Duration] = []
    ) async throws -> Fleet {
        try await over(
            RedisServerProcess(options), count, environment: environment, configuration: configuration, clocks: clocks
        ) { $1 }
    }

    /// The same on a Redis that is there; `url` says how a node, by its number, reaches it.
    static func over(
        _ redis: RedisServerProcess, of cluster: ClusterGroup? = nil, _ count: Int = 2,
        environment: [String: String] = [:], configuration: String? = nil, clocks: [Duration] = [],
        url: (Int, String) -> String
    ) async throws -> Fleet {
        var nodes: [NodeProcess] = []
        for number in 0..<count {
            var environment = environment
            if number < clocks.count { environment.merge(try WrongClock.environment(off: clocks[number])) { $1 } }
            nodes.append(
                try await NodeProcess.start(
                    nodeId: "n\(number)", redisURL: url(number, redis.url), environment: environment,
                    configuration: configuration))
        }
        let fleet = Fleet(redis: redis, cluster: cluster, nodes: nodes)
        try await fleet.ready()
        try await fleet.wait(.seconds(4))
        return fleet
    }

    /// The same on a Cluster.
    static func over(
        _ cluster: ClusterGroup, _ count: Int = 2, environment: [String: String] = [:]
    ) async throws -> Fleet {
        try await over(cluster.servers[0].process, of: cluster, count, environment: environment) { _, _ in cluster.url }
    }

    private init(redis: RedisServerProcess, cluster: ClusterGroup?, nodes: [NodeProcess]) {
        self.redis = redis
        self.cluster = cluster
        self.nodes = nodes
    }

    func ready() async throws {
        for node in nodes {
            try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        }
    }

    /// Time that has to pass because it is what is tested, such as a lease or an outage of a given length.
    func wait(_ time: Duration) async throws {
        let end = ContinuousClock.now + time
        try await eventually("the time", within: time + .seconds(20)) { ContinuousClock.now >= end }
    }

    /// Cuts the links through a proxy for 3 s, twice, a second before each.
    func cutTwice(_ proxy: FaultProxy) async throws {
        for _ in 0..<2 {
            try await wait(.seconds(1))
            try await proxy.refuse(true)
            try await proxy.cutAll()
            try await wait(.seconds(3))
            try await proxy.refuse(false)
        }
    }

    /// Who of these users one node says is online.
    func online(_ users: [String], by node: NodeProcess) async throws -> Set<String> {
        let names = users.map { "\"\($0)\"" }.joined(separator: ",")
        let answer = try await node.request("POST", "/v1/users/query", body: #"{"users":[\#(names)]}"#)
        guard answer.status == 200, let list = answer.json?["users"] as? [[String: Any]], list.count == users.count
        else { throw NeverHappened(description: "query answered \(answer.status): \(answer.body.prefix(200))") }
        return Set(list.filter { $0["online"] as? Bool == true }.compactMap { $0["userId"] as? String })
    }

    /// The members of a room, by one node.
    func members(of room: String, by node: NodeProcess) async throws -> Set<String> {
        let answer = try await node.request("GET", "/v1/rooms/\(room)/members?limit=1000")
        guard answer.status == 200, let list = answer.json?["members"] as? [[String: Any]] else {
            throw NeverHappened(description: "members answered \(answer.status): \(answer.body.prefix(200))")
        }
        return Set(list.compactMap { $0["userId"] as? String })
    }

    /// Every transition in the ledgers of all partitions; the order holds for each user and room.
    ///
    /// - Parameter server: nil for the one that the fleet started on.
    func ledger(on server: RedisServerProcess? = nil) async throws -> [Transition] {
        if let cluster { return try await ledger(on: cluster) }
        let script = """
            local out = {}
            for tag in string.gmatch('\(Partition.tags.joined(separator: " "))', '%a+') do
              for _, e in ipairs(redis.call('XRANGE', 'm:{' .. tag .. '}:events', '-', '+')) do
                local f = {}
                for i = 1, #e[2], 2 do f[e[2][i]] = e[2][i + 1] end
                out[#out + 1] = table.concat({ f.t, f.u, f.r, f.c, e[1] }, ' ')
              end
            end
            return table.concat(out, '\\n')
            """
        let text = try await (server ?? redis).cli("EVAL", script, "0")
        return text.split(separator: "\n").compactMap { Transition(line: $0) }
    }

    private func ledger(on cluster: ClusterGroup) async throws -> [Transition] {
        var lines: [String] = []
        for tag in Partition.tags {
            let primary = try await cluster.primary(of: cluster.slot(of: tag))
            for entry in try await primary.process.ask("XRANGE", "m:{\(tag)}:events", "-", "+").items {
                let words = entry.items.last?.items.map { $0.text ?? "" } ?? []
                var fields: [String: String] = [:]
                for place in stride(from: 0, to: words.count - 1, by: 2) { fields[words[place]] = words[place + 1] }
                let parts = ["t", "u", "r", "c"].map { fields[$0] ?? "" } + [entry.items.first?.text ?? ""]
                lines.append(parts.joined(separator: " "))
            }
        }
        return lines.compactMap { Transition(line: $0[...]) }
    }

    /// Redis's clock in milliseconds.
    func time() async throws -> Int64 {
        let parts = try await redis.cli("TIME").split(separator: "\n").compactMap { Int64($0) }
        guard parts.count == 2 else { throw NeverHappened(description: "TIME answered \(parts)") }
        return parts[0] * 1000 + parts[1] / 1000
    }
}

/// One entry of a ledger.
struct Transition: Hashable, Sendable {
    let type: String
    let user: String
    let room: String
    let cause: String
    /// By Redis's clock, in milliseconds.
    let time: Int64

    /// `type user room cause id`, user or room perhaps empty.
    init?(line: Substring) {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 5, let time = Int64(parts[4].prefix { $0 != "-" }) else { return nil }
        (type, user, room, cause) = (String(parts[0]), String(parts[1]), String(parts[2]), String(parts[3]))
        self.time = time
    }
}

/// Does one thing for each, up to `width` at once.
func each<Item: Sendable, Value: Sendable>(
    _ items: [Item], width: Int = 32, _ act: @escaping @Sendable (Item) async throws -> Value
) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value).self) { group in
        var results = [Value?](repeating: nil, count: items.count)
        var next = 0
        func addOne() {
            guard next < items.count else { return }
            let index = next
            next += 1
            group.addTask { (index, try await act(items[index])) }
        }
        for _ in 0..<width { addOne() }
        while let (index, value) = try await group.next() {
            results[index] = value
            addOne()
        }
        return results.compactMap { $0 }
    }
}
