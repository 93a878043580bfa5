import GatewayCore
import SocketServer
import Webhooks

extension Checkup {
    /// Whether the backend of `hooks.authorize` answers: it is asked about a client that shows nothing, whom it may well refuse.
    func hook() async -> [Finding] {
        let (subject, hook) = ("hooks.authorize", settings.hookSettings)
        guard let url = hook.url else { return [] }
        let configuration: HookCaller.Configuration
        do {
            configuration = HookCaller.Configuration(
                url: url, secrets: hook.secrets, timeout: hook.timeout, concurrency: 1, reach: hook.reach,
                authorities: try hook.authorities())
        } catch {
            return [.error(subject, "caFile cannot be read: \(error)", "correct the file or its name")]
        }
        let clocks = Clocks.system
        let caller = HookCaller(configuration, now: { clocks.wall() / 1000 })
        let question = Question(
            .connect, of: nil, shown: Presented(headers: [], address: ""), connectionId: "martlet-check")
        let finding: Finding
        do {
            let reply = try await HookAuthorizer.post(question, by: caller, hook, within: hook.timeout)
            let now = HookTime(monotonic: clocks.monotonic(), wall: clocks.wall())
            let answer = try hook.format.answer(
                reply.status, reply.body, to: question, takesGuests: hook.takesGuests, at: now)
            switch answer.ruling {
            case .denied: finding = .ok(subject, "answers, and refuses a client that shows nothing")
            case .allowed(let grant) where hook.takesGuests && grant.userId == nil:
                finding = .ok(subject, "answers, and lets a client that shows nothing in as a guest")
            case .allowed:
                finding = .warning(
                    subject, "lets in a client that shows nothing", "have it refuse whoever it does not know")
            case .failed: finding = .ok(subject, "answers")
            }
        } catch {
            let reason =
                (error as? HookProblem)?.description
                ?? RequestFailure.reason(of: error, timeout: hook.timeout, settings: subject)
            finding = .error(subject, reason, "correct the URL or the backend, or let this machine reach it")
        }
        // A caller that has answered ends without a fault.
        try? await caller.shutdown()
        return [finding] + openness(subject, hook)
    }

    private func openness(_ subject: String, _ hook: HookSettings) -> [Finding] {
        guard hook.onFailure == .allow else { return [] }
        return [
            .warning(
                "\(subject).onFailure", "allow: whoever is known is let pass while the backend does not answer",
                "set refuse where that is too much")
        ]
    }
}
