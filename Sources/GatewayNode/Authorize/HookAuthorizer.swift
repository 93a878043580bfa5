import AsyncHTTPClient
import Crypto
import GatewayCore
import Logging
import Metrics
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization
import Webhooks

/// Asks the backend by requests of its own, never on an event loop of a client's; any thread may ask it.
package final class HookAuthorizer: Authorizer {
    /// What an asker is to do next.
    private enum Turn: Sendable {
        case ruled(Ruling)
        case call(Board.Call)
        case turnedAway
    }

    private typealias Board = QuestionBoard<SHA256Digest, CheckedContinuation<Turn, Never>>

    private struct Setup: Sendable {
        let settings: HookSettings
        let caller: HookCaller
    }

    private let setup: Current<Setup>
    private let board: Mutex<Board>
    private let now: @Sendable () -> HookTime
    private let metrics: HookMetrics
    private let health: HookHealth
    private let (retired, retire) = AsyncStream.makeStream(of: Setup.self)

    /// Nil where the settings name nobody to ask. `run` must be called, and ends it in the end.
    package init?(
        _ settings: HookSettings, authorities: [NIOSSLCertificate], metrics: any MetricsFactory, logger: Logger,
        now: @escaping @Sendable () -> HookTime
    ) {
        guard settings.url != nil else { return nil }
        self.now = now
        self.metrics = HookMetrics(factory: metrics)
        health = HookHealth(logger: logger)
        setup = Current(HookAuthorizer.setup(settings, authorities, now))
        board = Mutex(Board(limits: HookAuthorizer.limits(settings)))
    }

    private static func setup(
        _ settings: HookSettings, _ authorities: [NIOSSLCertificate], _ now: @escaping @Sendable () -> HookTime
    ) -> Setup {
        let configuration = HookCaller.Configuration(
            url: settings.url ?? "", secrets: settings.secrets, timeout: settings.timeout,
            concurrency: settings.concurrency, reach: settings.reach, authorities: authorities)
        return Setup(settings: settings, caller: HookCaller(configuration, now: { now().wall / 1000 }))
    }

    private static func limits(_ settings: HookSettings) -> Board.Limits {
        Board.Limits(underWay: settings.concurrency, patience: settings.timeout)
    }

    /// Asks in another way from here on; what was answered before counts no longer.
    package func replace(_ settings: HookSettings, authorities: [NIOSSLCertificate]) {
        let old = setup.now
        setup.replace(HookAuthorizer.setup(settings, authorities, now))
        board.withLock { board in
            board.limits = HookAuthorizer.limits(settings)
            board.forgetAll(now: now().monotonic)
        }
        retire.yield(old)
    }

    // MARK: What it says of itself

    package var headerNames: [String] { setup.now.settings.headers }

    /// Askers without an answer.
    package var waiting: Int { board.withLock { $0.waiting } }

    /// Calls without an answer.
    package var underWay: Int { board.withLock { $0.underWay } }

    /// What whoever asks for the node's readiness is to know; nil where nothing is.
    package var restriction: String? {
        let problem = health.problem(now: now().monotonic).map { problem in
            problem.cause == .crowd
                ? "more is asked of the backend of hooks.authorize than it answers: \(problem.reason)"
                : "the backend of hooks.authorize does not answer: \(problem.reason)"
        }
        guard setup.now.settings.onFailure == .allow else { return problem }
        let rule = "hooks.authorize.onFailure is allow: while the backend does not answer, whoever is known is let pass"
        return [rule, problem].compactMap(\.self).joined(separator: "; ")
    }

    // MARK: Asking

    package func ruling(on question: Question) async -> Ruling {
        let ruling: Ruling
        switch await turn(question) {
        case .ruled(let known): ruling = known
        case .call(let call): ruling = await carryOut(call, question)
        case .turnedAway:
            health.failed("too many questions wait for it", cause: .crowd, now: now().monotonic)
            ruling = crowdedOut(setup.now.settings)
        }
        metrics.ruled(question, ruling)
        return ruling
    }

    /// Whoever was not asked about in time passes only while the backend answers nobody.
    private func crowdedOut(_ settings: HookSettings) -> Ruling {
        .failed(isPassed: settings.onFailure == .allow && health.isAway)
    }

    private func turn(_ question: Question) async -> Turn {
        let key = SHA256.hash(data: NativeHook.key(of: question))
        let lane = question.lane
        return await withCheckedContinuation { continuation in
            let moment = now().monotonic
            let turn: Turn? = board.withLock { board in
                switch board.ask(key, about: question.userId, in: lane, by: continuation, now: moment) {
                case .known(let ruling): .ruled(ruling)
                case .call(let call): .call(call)
                case .refused: .turnedAway
                case .wait: nil
                }
            }
            if let turn { continuation.resume(returning: turn) }
        }
    }

    private func carryOut(_ call: Board.Call, _ question: Question) async -> Ruling {
        let setup = setup.now
        let began = ContinuousClock.now
        var answer = HookAnswer(ruling: .failed(isPassed: setup.settings.onFailure == .allow), holds: .zero)
        var bytes = 0
        do {
            let reply = try await HookAuthorizer.post(question, by: setup.caller, setup.settings, within: call.time)
            answer = try setup.settings.format.answer(
                reply.status, reply.body, to: question, takesGuests: setup.settings.takesGuests, at: now())
            if question.isAnonymous { answer.holds = .zero }
            bytes = reply.body?.count ?? 0
            health.answered()
            metrics.answered(after: began.duration(to: .now))
        } catch {
            let reason =
                (error as? HookProblem)?.description
                ?? RequestFailure.reason(of: error, timeout: setup.settings.timeout, settings: "hooks.authorize")
            // Else a client could choose to pass: by what it asks, or by asking so much that no time is left.
            let isCrowded = call.time < setup.settings.timeout && began.duration(to: .now) >= call.time
            let isClients = (error as? HookProblem)?.isNeverPassed == true
            health.failed(
                reason, cause: isClients ? .question : isCrowded ? .crowd : .backend, now: now().monotonic)
            if isCrowded { answer.ruling = crowdedOut(setup.settings) }
            if isClients { answer.ruling = .failed(isPassed: false) }
            metrics.failed(after: began.duration(to: .now))
        }
        let moment = now().monotonic
        let outcome = board.withLock { board in
            board.ended(call, answer.ruling, holds: answer.holds, bytes: bytes, now: moment)
        }
        for asker in outcome.answered { asker.resume(returning: .ruled(answer.ruling)) }
        for (asker, call) in outcome.next { asker.resume(returning: .call(call)) }
        for asker in outcome.expired { asker.resume(returning: .turnedAway) }
        return answer.ruling
    }

    /// With the look-up of the name, which takes its own time, within the time that there is.
    package static func post(
        _ question: Question, by caller: HookCaller, _ settings: HookSettings, within time: Duration
    ) async throws -> HookCaller.Answer {
        let request = settings.format.request(for: question)
        return try await withThrowingTaskGroup(of: HookCaller.Answer?.self) { group in
            group.addTask { try await post(request, by: caller, within: time) }
            group.addTask {
                // Ends early where the answer is there.
                try? await Task.sleep(for: time)
                return nil
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() ?? nil else { throw HookProblem("it did not answer in time") }
            return answer
        }
    }

    /// A backend may end a connection that was kept just as the next question goes out on it: then once more.
    private static func post(
        _ request: HookRequest, by caller: HookCaller, within time: Duration
    ) async throws -> HookCaller.Answer {
        let fields = request.fields.map { (name: $0.name, value: $0.value) }
        do {
            return try await caller.post(request.body, path: request.path, fields: fields, within: time)
        } catch  where isBreak(error) {
            return try await caller.post(request.body, path: request.path, fields: fields, within: time)
        }
    }

    private static func isBreak(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case is IOError, is ChannelError: true
        default: false
        }
    }

    // MARK: Asked again

    /// Nothing that was said of the user counts any more.
    package func forget(_ user: UserID) {
        let moment = now().monotonic
        board.withLock { $0.forget(user, now: moment) }
    }

    package func mustAskAgain(about user: UserID, since moment: MonotonicTime) -> Bool {
        board.withLock { $0.isForgotten(user, since: moment) }
    }
}

extension HookAuthorizer: Service, CustomStringConvertible {
    /// What a service group's log calls it: without this, all that it holds, secrets included.
    package var description: String { "HookAuthorizer" }

    /// Ends the connections of callers that were replaced, and in the end the last's.
    package func run() async throws {
        for await old in retired.cancelOnGracefulShutdown() {
            // Its calls have ended by then; earlier where the node ends.
            try? await Task.sleep(for: old.settings.timeout)
            // One that has nothing under way ends without a fault.
            try? await old.caller.shutdown()
        }
        try? await setup.now.caller.shutdown()
    }
}
