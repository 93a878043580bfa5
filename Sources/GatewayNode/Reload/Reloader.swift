import ControlAPI
import GatewayCore
import Logging
import RedisBackend
import SocketServer
import Synchronization
import Webhooks

/// Takes settings anew while the node runs: all that can be taken, or nothing where any of it is wrong.
final class Reloader: Sendable {
    typealias Reading = @Sendable () throws(SettingsError) -> (settings: Settings, warnings: [String])

    /// What of a node goes by settings that may change.
    struct Parts: Sendable {
        let tokens: Tokens
        let hook: HookAuthorizer?
        let certificates: Certificates
        let keys: KeyRing
        let keysKeeper: KeysKeeper?
        let sockets: SocketServer
        /// What the client port is told under these settings.
        let admission: @Sendable (Settings) -> SocketServerConfiguration
        let backend: Backend
        let webhooks: WebhookService?

        var files: [any WatchedFile] { certificates.keepers + [keysKeeper].compactMap(\.self) }
    }

    private let read: Reading
    private let parts: Parts
    private let logger: Logger
    private let settings: Mutex<Settings>

    init(_ settings: Settings, parts: Parts, logger: Logger, read: @escaping Reading) {
        self.settings = Mutex(settings)
        self.parts = parts
        self.logger = logger
        self.read = read
    }

    /// One at a time.
    func reload() {
        logger.notice("SIGHUP: the settings are read again, and the files that they name")
        let plan: ReloadPlan
        do {
            let (next, warnings) = try read()
            plan = ReloadPlan(from: settings.withLock { $0 }, to: next)
            try take(plan)
            for warning in warnings {
                logger.warning("Setting passed over or doubtful", metadata: ["detail": "\(warning)"])
            }
        } catch {
            return logger.error("nothing reloaded; the settings of before hold", metadata: ["reason": "\(error)"])
        }
        settings.withLock { $0 = plan.settings }
        for key in plan.taken { logger.notice("setting taken", metadata: ["key": "\(key)"]) }
        for key in plan.kept { logger.warning("setting needs a restart", metadata: ["key": "\(key)"]) }
        if plan.taken.isEmpty, plan.kept.isEmpty { logger.notice("no setting has changed") }
    }

    /// All that can fail comes first.
    private func take(_ plan: ReloadPlan) throws {
        let next = plan.settings
        func hasChanged(_ prefixes: String...) -> Bool {
            plan.taken.contains { key in prefixes.contains { key.hasPrefix($0) } }
        }
        let certificates = try hasChanged("client.tls.", "api.tls.") ? parts.certificates.next(next) : nil
        let issuers = try hasChanged("auth.") ? parts.tokens.issuers(of: next) : []
        // A file may hold others under the name that it had.
        let authorities =
            try hasChanged("webhooks.") || next.webhooks.authorityFile != nil ? next.webhooks.authorities() : nil
        let hookAuthorities = try next.hook.url == nil ? nil : next.hook.authorities()

        certificates?.take()
        for keeper in parts.certificates.keepers { keeper.reload(logger: logger) }
        if hasChanged("api.key") { parts.keys.replace(whole: next.api.keys) }
        if let path = next.apiKeysFile { parts.keysKeeper?.look(at: path) }
        parts.keysKeeper?.reload(logger: logger)
        if issuers.isEmpty { parts.tokens.renew() } else { parts.tokens.take(issuers) }
        if let hookAuthorities { parts.hook?.replace(next.hookSettings, authorities: hookAuthorities) }
        if let authorities {
            parts.webhooks?.replace(next.webhookConfiguration, authorities: authorities)
            parts.backend.receivers.replace(next.webhookConfiguration.receivers)
        }
        parts.backend.rules.replace(next.rooms)
        parts.sockets.reconfigure(parts.admission(next))
    }
}
