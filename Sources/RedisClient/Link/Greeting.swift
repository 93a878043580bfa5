import NIOCore

/// Which server a link leads to, and which of its clients the link is.
package struct LinkIdentity: Sendable, Equatable {
    package var runID = ""
    package var version = ""
    package var clientID: Int64 = 0

    package init() {}
}

/// What is said on a new connection before anything else, as a machine without I/O.
///
/// Phases, each sent at once and answered in full before the next: who are you; end my old self; the rest. The old
/// link is killed before any other command, since the server may still hold bytes of it that would run after newer
/// ones; and only if the server is the same run, since another one's clients bear the same numbers.
package struct Greeting {
    package enum Action {
        case send([[RedisArgument]])
        case wait
        case ready(LinkIdentity)
        /// `refused` where trying again without a change by an operator is pointless.
        case fail(reason: String, refused: Bool)
    }

    private enum Step {
        case auth, info, kill(Int64), select, setName, clientID, load(RedisScript), ping
    }

    private enum Phase {
        case first, kill, rest, done
    }

    private let configuration: RedisConfiguration
    private let isForSubscriptions: Bool
    private let previous: LinkIdentity?
    private let scripts: [RedisScript]
    private var identity = LinkIdentity()
    private var phase = Phase.first
    private var unanswered: [Step] = []

    /// For a command link; `previous` is the last link that was ready.
    package init(commandLink configuration: RedisConfiguration, previous: LinkIdentity?, scripts: [RedisScript]) {
        self.configuration = configuration
        self.isForSubscriptions = false
        self.previous = previous
        self.scripts = scripts
    }

    package init(subscriptions configuration: RedisConfiguration) {
        self.configuration = configuration
        self.isForSubscriptions = true
        self.previous = nil
        self.scripts = []
    }

    package mutating func start() -> Action {
        var steps: [Step] = configuration.password == nil ? [] : [.auth]
        if isForSubscriptions {
            if configuration.clientName != nil { steps.append(.setName) }
            steps.append(.ping)
        } else {
            steps.append(.info)
        }
        return send(steps)
    }

    package mutating func received(_ reply: RedisReply) -> Action {
        guard !unanswered.isEmpty else { return .fail(reason: "a reply to nothing", refused: false) }
        let step = unanswered.removeFirst()
        if reply.isError, let failure = failure(of: step, ErrorReply(reply.string ?? "")) { return failure }
        switch step {
        case .info:
            readInfo(reply.string ?? "")
            guard !identity.runID.isEmpty, identity.runID.utf8.count <= 64 else {
                return .fail(reason: "INFO names no run_id", refused: false)
            }
        case .clientID:
            guard let id = reply.integer else { return .fail(reason: "CLIENT ID gave no number", refused: false) }
            identity.clientID = id
        case .auth, .kill, .select, .setName, .load, .ping:
            break
        }
        return unanswered.isEmpty ? nextPhase() : .wait
    }

    private mutating func nextPhase() -> Action {
        switch phase {
        case .first where isForSubscriptions, .rest, .done:
            phase = .done
            return .ready(identity)
        case .first:
            guard let previous, previous.runID == identity.runID else { return sendRest() }
            phase = .kill
            return send([.kill(previous.clientID)])
        case .kill:
            return sendRest()
        }
    }

    private mutating func sendRest() -> Action {
        phase = .rest
        var steps: [Step] = configuration.database == 0 ? [] : [.select]
        if configuration.clientName != nil { steps.append(.setName) }
        steps.append(.clientID)
        return send(steps + scripts.map { .load($0) })
    }

    private mutating func send(_ steps: [Step]) -> Action {
        unanswered = steps
        return .send(steps.map(command))
    }

    private func command(_ step: Step) -> [RedisArgument] {
        switch step {
        case .auth:
            ["AUTH"] + (configuration.username.map { [.string($0)] } ?? []) + [.string(configuration.password ?? "")]
        case .info: ["INFO", "server"]
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
        case (_, .refusesUs):
            return .fail(reason: "\(error.code) \(error.message)", refused: true)
        case (_, .breaksLink):
            return .fail(reason: "\(error.code) \(error.message)", refused: false)
        case (.kill, .failsCommand):
            return nil
        case (.load(let script), .failsCommand):
            return .fail(reason: "the script \(script.name) was not taken: \(error.message)", refused: !full)
        case (.auth, .failsCommand), (.select, .failsCommand), (.setName, .failsCommand):
            return .fail(reason: "\(error.code) \(error.message)", refused: !full)
        case (.info, .failsCommand), (.clientID, .failsCommand), (.ping, .failsCommand):
            return .fail(reason: "\(error.code) \(error.message)", refused: false)
        }
    }

    private mutating func readInfo(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("run_id:") { identity.runID = String(line.dropFirst("run_id:".count)) }
            if line.hasPrefix("redis_version:") { identity.version = String(line.dropFirst("redis_version:".count)) }
        }
    }
}
