import ControlAPI
import Logging
import SocketServer

extension Node {
    /// Nil where the settings name no backend to ask.
    func hookAuthorizer(metrics: MetricsRegistry) throws -> HookAuthorizer? {
        do {
            let clocks = Clocks.system
            let hook = HookAuthorizer(
                settings.hookSettings, authorities: try settings.hook.authorities(), metrics: metrics, logger: logger,
                now: { HookTime(monotonic: clocks.monotonic(), wall: clocks.wall()) })
            if let hook {
                metrics.observe("martlet_authorize_waiting") { Double(hook.waiting) }
                metrics.observe("martlet_authorize_under_way") { Double(hook.underWay) }
            }
            return hook
        } catch {
            throw NodeFailure(
                "hooks.authorize.caFile cannot be read: \(error)", status: NodeFailure.configuration)
        }
    }

    static func authentication(
        _ settings: Settings, _ tokens: Tokens
    ) -> SocketServerConfiguration.Authentication {
        if let verifier = tokens.verifier { return .jwt(verifier) }
        return settings.auth.mode == .hook ? .hook : .none
    }
}
