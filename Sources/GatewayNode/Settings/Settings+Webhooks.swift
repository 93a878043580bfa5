import GatewayCore
import Webhooks

extension Settings {
    /// Who is told of events.
    package struct Webhooks: Sendable, Equatable {
        /// A URL each, and behind it, with blanks between, the types it wants; without them it is sent all.
        package var urls: [String] = []
        /// Each request is signed with every one of them.
        package var secrets: [String] = []
        package var timeout = Duration.seconds(30)
        /// Requests at once to one receiver.
        package var concurrency = 8
        package var giveUpAfter = Duration.seconds(24 * 3600)
        package var allowPrivate = false
        /// A PEM file with authorities to trust beside the system's.
        package var caFile: String?
        /// Entries of each partition's ledger, about, kept for a receiver that does not take them.
        package var backlog = 100_000
        /// Bytes that each of them keeps, and as many of dead letters.
        package var backlogBytes = 8 << 20

        /// In the order of the settings; what was loaded can be read.
        var receivers: [WebhookReceiver] { urls.compactMap { WebhookReceiver(setting: $0) } }
    }

    var webhookConfiguration: WebhookConfiguration {
        var configuration = WebhookConfiguration(receivers: webhooks.receivers, secrets: webhooks.secrets)
        configuration.timeout = webhooks.timeout
        configuration.concurrency = webhooks.concurrency
        configuration.giveUpAfter = webhooks.giveUpAfter
        configuration.allowsPrivate = webhooks.allowPrivate
        configuration.authorityFile = webhooks.caFile
        return configuration
    }

    /// One line for each receiver, without what may be secret in its URL.
    var webhookSummary: [String] {
        webhooks.receivers.map { receiver in
            let types = receiver.types.map { $0.sorted().joined(separator: ", ") } ?? "all events"
            return "webhook  \(receiver.shownURL), \(types)"
        }
    }
}

extension WebhookReceiver {
    /// Nil where the text is no URL with, behind it, types of events.
    init?(setting text: String) {
        let words = text.split(separator: " ").map(String.init)
        guard let url = words.first, WebhookURL(url) != nil else { return nil }
        let types = words.dropFirst()
        guard types.allSatisfy({ EventType(rawValue: $0) != nil }) else { return nil }
        self.init(url: url, types: types.isEmpty ? nil : Set(types))
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

    /// The answer holds no part of the URL, which may contain a secret.
    static func webhook(_ text: String) -> String? {
        let words = text.split(separator: " ").map(String.init)
        guard let url = words.first, WebhookURL(url) != nil else {
            return "holds what is no URL with http:// or https://"
        }
        let known = EventType.allCases.map(\.rawValue)
        for type in words.dropFirst() where !known.contains(type) {
            return "holds \(type), which is no type of event\(Spelling.hint(for: type, among: known))"
        }
        return nil
    }
}

extension SettingsReader {
    /// What spans the keys of webhooks.
    mutating func decideWebhooks() throws(SettingsError) {
        let webhooks = settings.webhooks
        guard !webhooks.urls.isEmpty else {
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
            guard let url = WebhookURL(receiver.url), !webhooks.allowPrivate, url.isPlainlyPrivate else { continue }
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
