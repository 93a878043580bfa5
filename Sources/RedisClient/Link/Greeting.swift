import NIOCore

/// The identity of a link: the server that it leads to, and which of that server's clients it is.
package struct LinkIdentity: Sendable, Equatable {
    package let server: ServerID
    package let version: String
    /// 0 for a link whose old self need not be ended.
    package fileprivate(set) var clientID: Int64

    package init(server: ServerID, version: String = "", clientID: Int64 = 0) {
        self.server = server
        self.version = version
        self.clientID = clientID
    }
}

/// The handshake on a new connection before anything else, as a machine without I/O.
///
/// Phases, each sent at once and answered in full before the next: who are you; end my old self; the rest. Only a primary
/// is accepted, or a Sentinel where one is asked for; of a Cluster only one that belongs to it, where it says who it is. The old link is killed before any other command, since the server may still hold bytes of it that would
/// run after newer ones; and only if the server is the same run, since another one's clients bear the same numbers.
package struct Greeting {
    package enum Action {
        case send([[RedisArgument]])
        case wait
        case ready(LinkIdentity)
        case fail(reason: String, LinkFailure)
    }

    private enum Step {
        case auth, server, replication, member, kill(Int64), select, setName, clientID, load(RedisScript), ping
    }

    private enum Phase {
        case first, kill, rest, done
    }

    private let configuration: RedisConfiguration
    private let isForSubscriptions: Bool
    /// The last link to each server that was met.
    private let former: [LinkIdentity]
    private let scripts: [RedisScript]
    /// Whether a server with this id belongs to the Cluster.
    private let admits: @Sendable (String) -> Bool
    private var runID = ""
    private var version = ""
    /// Once both parts of it are known.
    private var identity: LinkIdentity?
    private var phase = Phase.first
    private var unanswered: [Step] = []

    /// For a command link; `previous` is the last link that was ready, `earlier` are those to servers before it: one may
    /// come back to a server that still holds what the link had sent it.
    package init(
        commandLink configuration: RedisConfiguration, previous: LinkIdentity?, earlier: [LinkIdentity] = [],
        scripts: [RedisScript], admits: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        self.configuration = configuration
        self.isForSubscriptions = false
        self.former = [previous].compactMap { $0 } + earlier
        self.scripts = scripts
        self.admits = admits
    }

    package init(
        subscriptions configuration: RedisConfiguration, admits: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        self.configuration = configuration
        self.isForSubscriptions = true
        self.former = []
        self.scripts = []
        self.admits = admits
    }

    package mutating func start() -> Action {
        let steps: [Step] = configuration.password == nil ? [] : [.auth]
        switch configuration.peer {
        case .primary:
            return send(steps + [.server, .replication] + (configuration.topology.isSharded ? [.member] : []))
        case .sentinel, .clusterMember: return send(steps + [.server])
        }
    }

    package mutating func received(_ reply: RedisReply) -> Action {
        guard !unanswered.isEmpty else { return .fail(reason: "a reply to nothing", .passing) }
        let step = unanswered.removeFirst()
        if reply.isError, let failure = failure(of: step, ErrorReply(reply.string ?? "")) { return failure }
        switch step {
        case .server:
            if let failure = readServer(reply) { return failure }
        case .replication:
            if let failure = readReplication(reply) { return failure }
        case .member:
            if let failure = readMember(reply) { return failure }
        case .clientID:
            guard let id = reply.integer else { return .fail(reason: "CLIENT ID gave no number", .passing) }
            identity?.clientID = id
        case .auth, .kill, .select, .setName, .load, .ping:
            break
        }
        return unanswered.isEmpty ? nextPhase() : .wait
    }

    private mutating func nextPhase() -> Action {
        switch phase {
        case .rest, .done:
            phase = .done
            guard let identity else { return .fail(reason: "INFO names no master_replid", .passing) }
            return .ready(identity)
        case .first:
            guard configuration.peer == .primary, let old = former.first(where: { $0.server.runID == runID }) else {
                return sendRest()
            }
            phase = .kill
            return send([.kill(old.clientID)])
        case .kill:
            return sendRest()
        }
    }

    private mutating func sendRest() -> Action {
        phase = .rest
        let name: [Step] = configuration.clientName == nil ? [] : [.setName]
        if configuration.peer != .primary { return send([.ping]) }
        if isForSubscriptions { return send(name + [.ping]) }
        let database: [Step] = configuration.database == 0 ? [] : [.select]
        return send(database + name + [.clientID] + scripts.map { .load($0) })
    }

    private mutating func send(_ steps: [Step]) -> Action {
        unanswered = steps
        return .send(steps.map(command))
    }

    private func command(_ step: Step) -> [RedisArgument] {
        switch step {
        case .auth:
            ["AUTH"] + (configuration.username.map { [.string($0)] } ?? []) + [.string(configuration.password ?? "")]
        case .server: ["INFO", "server"]
        case .replication: ["INFO", "replication"]
        case .member: ["CLUSTER", "MYID"]
        case .kill(let id): ["CLIENT", "KILL", "ID", .integer(id)]
        case .select: ["SELECT", .integer(Int64(configuration.database))]
        case .setName: ["CLIENT", "SETNAME", .string(configuration.clientName ?? "")]
        case .clientID: ["CLIENT", "ID"]
        case .load(let script): ["SCRIPT", "LOAD", .string(script.source)]
        case .ping: ["PING"]
        }
    }

    /// Nil where the error does not matter.
    private func failure(of step: Step, _ error: ErrorReply) -> Action? {
        let full = error.message.hasPrefix("max number of clients")
        switch (step, error.kind) {
        case (.member, .forbids), (.member, .failsCommand):
            return nil
        case (_, .refusesUs), (_, .forbids):
            return .fail(reason: "\(error.code) \(error.message)", .refused)
        case (_, .breaksLink):
            return .fail(reason: "\(error.code) \(error.message)", .passing)
        case (.kill, .failsCommand):
            return nil
        case (.load(let script), .failsCommand):
            return .fail(
                reason: "the script \(script.name) was not taken: \(error.message)", full ? .passing : .refused)
        case (.auth, .failsCommand), (.select, .failsCommand), (.setName, .failsCommand):
            return .fail(reason: "\(error.code) \(error.message)", full ? .passing : .refused)
        case (.server, .failsCommand), (.replication, .failsCommand), (.clientID, .failsCommand),
            (.ping, .failsCommand):
            return .fail(reason: "\(error.code) \(error.message)", .passing)
        }
    }

    /// Why a server of this kind cannot be used; nil for the kind that is asked for.
    private func problem(ofMode mode: String) -> String? {
        switch (configuration.peer, mode) {
        case (.primary, "cluster") where !configuration.topology.isSharded:
            "it is a node of a Redis Cluster, and redis:// is for one server by itself; write \(clusterURL)"
        case (.primary, let mode) where configuration.topology.isSharded && mode != "cluster",
            (.clusterMember, let mode) where mode != "cluster":
            "it is no node of a Redis Cluster; one server by itself needs redis:// in place of redis+cluster://"
        case (.primary, "sentinel"):
            """
            it is a Sentinel, which only knows where a server is; write \(sentinelURL), with the name that the sentinels \
            give the primary
            """
        case (.sentinel, let mode) where mode != "sentinel":
            "it is no Sentinel; redis+sentinel:// takes the addresses of sentinels, which listen on 26379 by default"
        default: nil
        }
    }

    /// What would have to be written in place of a URL that leads to a Cluster's node.
    private var clusterURL: String {
        let scheme = configuration.tls ? "rediss+cluster" : "redis+cluster"
        guard case .single(let place) = configuration.topology else { return "\(scheme)://" }
        return "\(scheme)://\(place)"
    }

    /// What would have to be written in place of a URL that leads to a Sentinel.
    private var sentinelURL: String {
        let scheme = configuration.tls ? "rediss+sentinel" : "redis+sentinel"
        guard case .single(let place) = configuration.topology else { return "\(scheme)://" }
        return "\(scheme)://\(place)/NAME"
    }

    /// Nil where it is of the kind that is asked for.
    private mutating func readServer(_ reply: RedisReply) -> Action? {
        if let reason = problem(ofMode: mode(reply)) { return .fail(reason: reason, .refused) }
        version = infoField("redis_version", reply) ?? ""
        runID = infoField("run_id", reply) ?? ""
        guard Greeting.isID(runID) else { return .fail(reason: "INFO names no run_id", .passing) }
        if configuration.peer != .primary {
            // A sentinel keeps no data that could have a history; of a Cluster's server nobody asks here for its data.
            identity = LinkIdentity(server: ServerID(runID: runID, replicationID: ""), version: version)
        }
        return nil
    }

    /// Valkey has its own name for it.
    private func mode(_ info: RedisReply) -> String {
        infoField("redis_mode", info) ?? infoField("server_mode", info) ?? ""
    }

    /// Nil where it is a primary's.
    private mutating func readReplication(_ reply: RedisReply) -> Action? {
        guard let role = infoField("role", reply) else { return .fail(reason: "INFO names no role", .passing) }
        guard role == "master" else { return .fail(reason: "it is a replica, and only a primary will do", .unfit) }
        guard let history = infoField("master_replid", reply), Greeting.isID(history) else {
            return .fail(reason: "INFO names no master_replid", .passing)
        }
        identity = LinkIdentity(server: ServerID(runID: runID, replicationID: history), version: version)
        return nil
    }

    /// Nil where it belongs to the Cluster, or does not say who it is: not every proxy before one does.
    private func readMember(_ reply: RedisReply) -> Action? {
        guard !reply.isError, let id = reply.string, Greeting.isID(id), !admits(id) else { return nil }
        return .fail(reason: "it belongs to another Cluster than the one that is followed", .stranger(id: id))
    }

    private static func isID(_ text: String) -> Bool { (1...64).contains(text.utf8.count) }

    private func infoField(_ name: String, _ info: RedisReply) -> String? {
        let lines = (info.string ?? "").split(whereSeparator: \.isNewline)
        return lines.first { $0.hasPrefix("\(name):") }.map { String($0.dropFirst(name.utf8.count + 1)) }
    }
}
