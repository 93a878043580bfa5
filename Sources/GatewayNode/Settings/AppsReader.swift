import Dialects
import Yams

/// Reads the list `pusher.apps`: entries of `id`, `key`, `secret` or `secrets`, `clientEvents`, `subscriptionCount`, `origins`,
/// `maxConnections`, `rate` and `webhooks`.
struct AppsReader {
    let file: SettingsFile

    private static let known = [
        "id", "key", "secret", "secrets", "clientEvents", "subscriptionCount", "origins", "maxConnections", "rate",
        "webhooks",
    ]

    func apps() throws(SettingsError) -> [PusherApp] {
        var apps: [PusherApp] = []
        for (index, node) in file.apps.enumerated() {
            apps.append(try app(node, at: "pusher.apps[\(index)]"))
        }
        return apps
    }

    private func app(_ node: Yams.Node, at place: String) throws(SettingsError) -> PusherApp {
        let fields = try file.fields(of: node, at: place, known: AppsReader.known)
        func read<Value>(
            _ name: String, _ kind: SettingKind<Value>, isSecret: Bool = false
        ) throws(SettingsError) -> Value? {
            guard let field = fields[name] else { return nil }
            return try file.item(field, at: "\(place).\(name)", kind, isSecret: isSecret)
        }
        guard let id = try read("id", .text("1 to 32 of A-Z a-z 0-9 _ - .", check: SettingCheck.appID)) else {
            throw file.refusal(of: place, at: node, "has no id")
        }
        guard let key = try read("key", .text("1 to 64 of A-Z a-z 0-9 _ - .", check: SettingCheck.appKey)) else {
            throw file.refusal(of: place, at: node, "has no key")
        }
        let secrets = SettingKind<[String]>.list("secrets", atLeast: 1, check: SettingCheck.secret)
        let one = try read("secret", secrets, isSecret: true)
        let several = try read("secrets", secrets, isSecret: true)
        guard let all = one ?? several, one == nil || several == nil else {
            throw file.refusal(of: place, at: node, "has either a secret or secrets")
        }
        var app = PusherApp(id: id, key: key, secrets: all)
        if let events = try read("clientEvents", .boolean) { app.hasClientEvents = events }
        if let counts = try read("subscriptionCount", .boolean) { app.tellsSubscriptionCount = counts }
        app.origins = try read("origins", .list("origins, or *", show: { $0 }, form: SettingCheck.origin))
        if let most = try read("maxConnections", .integer(0...10_000_000)) { app.maxConnections = most }
        if let rate = try read("rate", .integer(0...1_000_000)) { app.rate = rate }
        app.webhooks = try read("webhooks", .list("URLs and events", check: { _ in nil }), isSecret: true) ?? []
        return app
    }
}
