import Dialects
import GatewayCore
import Glibc
import Webhooks

extension Settings {
    /// One line for each receiver, without what may be secret in its URL.
    var webhookSummary: [String] {
        webhookConfiguration.receivers.map { receiver in
            let types = receiver.types.map { $0.sorted().joined(separator: ", ") } ?? "all events"
            guard case .pusher(let id) = receiver.form else { return "webhook  \(receiver.shownURL), \(types)" }
            let app = id ?? pusher.apps.first?.id ?? ""
            return "webhook  \(receiver.shownURL), \(types) of the app \(app), as Pusher's"
        }
    }

    /// Of what is noted only where a receiver names it, the rooms of the apps that have such a receiver.
    var notedEvents: [EventType: [RoomPattern]] {
        var noted: [EventType: [RoomPattern]] = [:]
        for app in PusherApps(pusher.apps).all {
            guard let pattern = RoomPattern(app.prefix + "*") else { continue }
            for type in EventType.ofApps
            where webhookConfiguration.receivers.contains(where: { $0.isOf(app) && $0.asksFor(type) }) {
                noted[type, default: []].append(pattern)
            }
        }
        return noted
    }

    /// Those that `webhooks.url` names, and those of the apps.
    package var webhookConfiguration: WebhookConfiguration {
        var configuration = webhooks
        configuration.receivers += pusher.receivers
        configuration.apps = PusherApps(pusher.apps)
        return configuration
    }
}

extension SettingCheck {
    /// A pipe is refused too: the file is read again and again.
    static func authorities(_ file: String) -> String? {
        var facts = stat()
        guard stat(file, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            return "is no file that holds certificates in PEM"
        }
        var configuration = WebhookConfiguration(receivers: [], secrets: [])
        configuration.authorityFile = file
        do {
            _ = try configuration.authorities()
            return nil
        } catch {
            return "is no file that holds certificates in PEM"
        }
    }

    /// A URL and, behind it with blanks between, the types that are sent there; without them all are. With
    /// `format=pusher` among them the first app's events are, and the types are Pusher's names. What is wrong is said
    /// without any part of the URL, which may contain a secret.
    static func webhook(_ text: String) throws(ValueRefusal) -> WebhookReceiver {
        let words = text.split(separator: " ").map(String.init)
        guard let url = words.first, WebhookURL(url) != nil else {
            throw ValueRefusal("holds what is no URL with http:// or https://")
        }
        let types = words.dropFirst().filter { $0 != pusherFormat }
        guard types.count == words.count - 1 else { return try webhook(url, of: nil, events: types) }
        try check(types, among: EventType.native.map(\.rawValue))
        return WebhookReceiver(url: url, types: types.isEmpty ? nil : Set(types))
    }

    /// The same of an app's own list, where Pusher's form is a matter of course.
    static func webhook(_ text: String, ofApp id: String) throws(ValueRefusal) -> WebhookReceiver {
        let words = text.split(separator: " ").map(String.init)
        guard let url = words.first, WebhookURL(url) != nil else {
            throw ValueRefusal("holds what is no URL with http:// or https://")
        }
        return try webhook(url, of: id, events: words.dropFirst().filter { $0 != pusherFormat })
    }

    private static func webhook(
        _ url: String, of app: String?, events: [String]
    ) throws(ValueRefusal) -> WebhookReceiver {
        try check(events, among: PusherHookEvent.allCases.map(\.rawValue))
        let chosen = PusherHookEvent.allCases.filter {
            events.isEmpty ? !$0.isByNameOnly : events.contains($0.rawValue)
        }
        return WebhookReceiver(url: url, ofApp: app, events: Set(chosen))
    }

    private static func check(_ types: [String], among known: [String]) throws(ValueRefusal) {
        for type in types where !known.contains(type) {
            throw ValueRefusal("holds \(type), which is no type of event\(Spelling.hint(for: type, among: known))")
        }
    }

    static let pusherFormat = "format=pusher"
}

extension WebhookReceiver {
    /// As a list of settings has it.
    var setting: String {
        guard form != .native else { return ([url] + (types?.sorted() ?? [])).joined(separator: " ") }
        return ([url, SettingCheck.pusherFormat] + pusherEvents).joined(separator: " ")
    }

    /// What it is told in Pusher's form, by Pusher's names; none where that is all.
    private var pusherEvents: [String] {
        let chosen = PusherHookEvent.allCases.filter { types?.contains($0.type.rawValue) ?? true }
        return chosen == PusherHookEvent.allCases.filter { !$0.isByNameOnly } ? [] : chosen.map(\.rawValue).sorted()
    }
}

extension SettingsReader {
    /// What spans the keys of webhooks.
    mutating func decideWebhooks() throws(SettingsError) {
        settings.pusher.receivers = try appReceivers()
        settings.rooms.noted = settings.notedEvents
        let webhooks = settings.webhookConfiguration
        if !webhooks.secrets.isEmpty, !webhooks.receivers.contains(where: { $0.form == .native }) {
            let kind = settings.webhooks.receivers.isEmpty ? "" : " but in Pusher's form"
            warnings.append("webhooks.secret has no effect: there is no webhooks.url\(kind)")
        }
        guard !webhooks.receivers.isEmpty else { return }
        guard !settings.pusher.apps.isEmpty || webhooks.receivers.allSatisfy({ $0.form == .native }) else {
            throw SettingsError("webhooks.url holds format=pusher, and there is no app (pusher.apps) to be told of")
        }
        guard !webhooks.secrets.isEmpty || !webhooks.receivers.contains(where: { $0.form == .native }) else {
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
            throw SettingsError("webhooks.url holds the same URL twice, or the webhooks of an app do")
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

extension SettingsReader {
    /// Those that the apps' own lists name.
    private func appReceivers() throws(SettingsError) -> [WebhookReceiver] {
        var receivers: [WebhookReceiver] = []
        for (index, app) in settings.pusher.apps.enumerated() {
            for text in app.webhooks {
                do throws(ValueRefusal) {
                    receivers.append(try SettingCheck.webhook(text, ofApp: app.id))
                } catch {
                    throw SettingsError("pusher.apps[\(index)].webhooks \(error.problem)")
                }
            }
        }
        return receivers
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
