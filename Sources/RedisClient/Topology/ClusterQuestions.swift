import Logging
import NIOCore

/// The link over which one server of a Cluster is asked what it knows of all. On one loop.
///
/// `@unchecked Sendable`: everything mutable in it is touched on that loop only.
final class ClusterQuestions: @unchecked Sendable {
    /// What `CLUSTER NODES` says of a thousand servers.
    private static let maxReplyBytes = 1 << 20

    private let place: RedisConfiguration.Endpoint
    private let configuration: RedisConfiguration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private var link: RedisCommandLink?
    /// Why it takes no questions; nil where it does, or where that is not known.
    private var refusal: String?
    /// As it named itself last; nil where it does not.
    private var id: String?

    /// - Parameter patience: how long an answer is waited for.
    init(
        to place: RedisConfiguration.Endpoint, redis: RedisConfiguration, patience: Duration,
        eventLoop: any EventLoop, logger: Logger
    ) {
        self.place = place
        self.eventLoop = eventLoop
        self.logger = logger
        var configuration = redis
        configuration.topology = .single(place)
        configuration.peer = .clusterMember
        configuration.commandTimeout = patience
        // A word is of one server.
        configuration.onAnotherServer = .fail
        configuration.quickConnectTimeout = patience
        configuration.maxReplyBytes = ClusterQuestions.maxReplyBytes
        self.configuration = configuration
    }

    /// - Parameter onLost: told on the loop as the server goes.
    func start(onLost: @escaping @Sendable () -> Void) {
        let link = RedisCommandLink(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onState: { [weak self] state in
                if self?.hasChanged(to: state) == true { onLost() }
            })
        link.start()
        self.link = link
    }

    func shutdown() -> EventLoopFuture<Void> {
        defer { link = nil }
        return link?.shutdown() ?? eventLoop.makeSucceededVoidFuture()
    }

    /// How it stands with the Cluster; answered once, on the loop.
    func askState(reply: @escaping @Sendable (Result<ClusterState, QuestionFailure>) -> Void) {
        ask(["CLUSTER", "INFO"]) { questions, cluster in
            questions.ask(["INFO", "server", "replication"]) { questions, server in
                let state = cluster.flatMap { cluster in
                    server.map { server in
                        cluster.string.flatMap { info in server.string.flatMap { ClusterState(info, server: $0) } }
                    }
                }
                reply(questions.answer(state))
            }
        }
    }

    /// Who has which slot; answered once, on the loop.
    func askSlots(reply: @escaping @Sendable (Result<ClusterWord, QuestionFailure>) -> Void) {
        // Answered before what is asked behind it over the same link. Where it may not be asked the rest suffices.
        ask(["CLUSTER", "MYID"]) { questions, id in questions.id = (try? id.get())?.string }
        ask(["CLUSTER", "SLOTS"]) { questions, slots in
            questions.ask(["CLUSTER", "NODES"]) { questions, nodes in
                let word = slots.flatMap { slots in
                    nodes.map { nodes in
                        nodes.string.flatMap {
                            ClusterWord(nodes: $0, slots: slots, at: questions.place, id: questions.id)
                        }
                    }
                }
                reply(questions.answer(word))
            }
        }
    }

    private func ask(
        _ command: [RedisArgument],
        reply: @escaping @Sendable (ClusterQuestions, Result<RedisReply, RedisError>) -> Void
    ) {
        link?.send(command) { reply(self, $0) }
    }

    private func answer<Answer>(
        _ result: Result<Answer?, RedisError>
    ) -> Result<Answer, QuestionFailure> {
        switch result {
        case .success(let answer?): .success(answer)
        case .success(nil): .failure(.refused(reason: "it answers what no Cluster does"))
        case .failure(.reply(let code, let message)): .failure(.refused(reason: "\(code) \(message)"))
        case .failure: .failure(refusal.map { .refused(reason: $0) } ?? .away)
        }
    }

    /// Whether it is gone by now.
    private func hasChanged(to state: RedisLinkState) -> Bool {
        switch state {
        case .connected:
            refusal = nil
            return false
        case .refused(let message):
            if refusal != message {
                logger.error(
                    "A server of the Cluster refuses this node",
                    metadata: ["server": "\(place)", "reason": "\(message)"])
            }
            refusal = message
            return false
        case .disconnected, .unfit:
            refusal = nil
            return true
        }
    }
}
