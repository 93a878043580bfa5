import GatewayCore
import Webhooks

extension Settings {
    /// One line for each receiver, without what may be secret in its URL.
    var webhookSummary: [String] {
        webhooks.receivers.map { receiver in
            let types = receiver.types.map { $0.sorted().joined(separator: ", ") } ?? "all events"
            return "webhook  \(receiver.shownURL), \(types)"
        }
    }
}

extension SettingCheck {
    static func authorities(_ file: String) -> String? {
        var configuration = WebhookConfiguration(receivers: [], secrets: [])
        configuration.authorityFile = file
        do {
            _ = try configuration.authorities()
            return nil
        } catch {
            return "is no file that holds certificates in PEM"
        }
    }

    /// A URL and, behind it with blanks between, the types that are sent there; without them all are. What is wrong is said
    /// without any part of the URL, which may contain a secret.
    static func webhook(_ text: String) throws(ValueRefusal) -> WebhookReceiver {
        let words = text.split(separator: " ").map(String.init)
        guard let url = words.first, WebhookURL(url) != nil else {
            throw ValueRefusal("holds what is no URL with http:// or https://")
        }
        let known = EventType.allCases.map(\.rawValue)
        let types = words.dropFirst()
        for type in types where !known.contains(type) {
            throw ValueRefusal("holds \(type), which is no type of event\(Spelling.hint(for: type, among: known))")
        }
        return WebhookReceiver(url: url, types: types.isEmpty ? nil : Set(types))
    }
}

extension WebhookReceiver {
    /// As a list of settings has it.
    var setting: String { ([url] + (types?.sorted() ?? [])).joined(separator: " ") }
}

extension SettingsReader {
    /// What spans the keys of webhooks.
    mutating func decideWebhooks() throws(SettingsError) {
        let webhooks = settings.webhooks
        guard !webhooks.receivers.isEmpty else {
            if !webhooks.secrets.isEmpty { warnings.append("webhooks.secret has no effect: there is no webhooks.url") }
            return
        }
        guard !webhooks.secrets.isEmpty else {
            throw SettingsError(
                "webhooks.secret is missing: webhooks.url needs it (MARTLET_WEBHOOKS_SECRET), so that the receiver can tell who sends"
            )
        }
        guard webhooks.secrets.count <= 2 else {
            throw SettingsError(
                "webhooks.secret holds more than two: the old one and the new one are what a change needs")
        }
        let receivers = webhooks.receivers
        guard Set(receivers.map(\.name)).count == receivers.count else {
            throw SettingsError("webhooks.url holds the same URL twice")
        }
        for receiver in receivers {
            guard let url = WebhookURL(receiver.url), !webhooks.allowsPrivate, url.isPlainlyPrivate else { continue }
            throw SettingsError(
                """
                webhooks.url leads to \(url.host), a private address, which needs webhooks.allowPrivate \
                (MARTLET_WEBHOOKS_ALLOW_PRIVATE=true); so do receivers in a network of docker compose
                """)
        }
    }
}

extension WebhookURL {
    /// Whether the host is a private address as it is written, in whatever form the system reads one; what a name leads to
    /// shows when it is asked.
    fileprivate var isPlainlyPrivate: Bool {
        if let address = AddressGuard.literal(host) { return AddressGuard.isPrivate(address.description) }
        return HostName(host)?.isLoopback ?? false
    }
}
