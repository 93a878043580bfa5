import Dialects
import GatewayCore

extension SettingKey {
    /// The keys of `pusher`.
    static let pusher = [
        SettingKey(
            "pusher.appId", \.pusher.appId, .optional("1 to 32 of A-Z a-z 0-9 _ - .", check: SettingCheck.appID),
            """
            The one app whose clients and backend speak Pusher's protocol, at /app/<key> of the port for clients: pusher-js, \
            Laravel Echo and their like. Several stand in pusher.apps.
            """),
        SettingKey(
            "pusher.key", \.pusher.key, .optional("1 to 64 of A-Z a-z 0-9 _ - .", check: SettingCheck.appKey),
            "What that app's clients name, and everybody may know."),
        SettingKey(
            "pusher.secret", \.pusher.secrets, .list("secrets", check: SettingCheck.secret), shownAs: "\"\"",
            isSecret: true,
            "What that app's backend signs with, 16 bytes or more; two while it is being changed."),
        SettingKey(
            "pusher.publicRooms", \.pusher.publicRooms,
            .list("room names, * for any characters", show: \.description, form: SettingCheck.pattern),
            """
            The rooms that an app's clients may enter as channels without a signature, where no rule of rooms says so by \
            allowGuests. Left out, it is all of them where auth.mode is none or left out, and none where clients show tokens: \
            else whoever knows a key could listen to rooms of theirs. A further app's channels are rooms of its own, and open.
            """),
        SettingKey(
            "pusher.maxPresenceMembers", \.client.limits.maxShownMembers, .integer(1...100_000),
            """
            How many users a presence channel may have for one more of an app's clients to enter it: each is sent all of \
            them, in one frame.
            """),
    ]

    static let allRooms = [RoomPattern("*")].compactMap(\.self)
}

extension SettingCheck {
    static func appID(_ text: String) -> String? {
        PusherApp.isName(text, upTo: PusherApp.longestID) ? nil : PusherApp.rule(upTo: PusherApp.longestID)
    }

    static func appKey(_ text: String) -> String? {
        PusherApp.isName(text, upTo: PusherApp.longestKey) ? nil : PusherApp.rule(upTo: PusherApp.longestKey)
    }

    static func pattern(_ text: String) throws(ValueRefusal) -> RoomPattern {
        guard let pattern = RoomPattern(text) else {
            throw ValueRefusal("is not a room name in which * stands for any characters")
        }
        return pattern
    }
}

extension SettingsReader {
    /// What spans the keys of apps, and what follows from there being some.
    ///
    /// - Parameters:
    ///   - isModeWritten: whether somebody wrote `auth.mode`.
    ///   - areRoomsWritten: the same of `pusher.publicRooms`.
    mutating func decidePusher(isModeWritten: Bool, areRoomsWritten: Bool) throws(SettingsError) {
        try addApp()
        let apps = settings.pusher.apps
        guard !apps.isEmpty else { return }
        for (index, app) in apps.enumerated() {
            let before = apps[..<index]
            guard !before.contains(where: { $0.id == app.id }) else {
                throw SettingsError("pusher.apps[\(index)].id is that of another app too")
            }
            guard !before.contains(where: { $0.key == app.key }) else {
                throw SettingsError("pusher.apps[\(index)].key is that of another app too")
            }
            guard app.secrets.count <= 2 else {
                throw SettingsError(
                    "pusher.apps[\(index)].secrets holds more than two: the old one and the new one are what a change needs"
                )
            }
        }
        let isProved = isModeWritten && settings.auth.mode != .none
        if isProved, !areRoomsWritten { settings.pusher.publicRooms = [] }
        settings.servesSessions = isModeWritten
        settings.rooms.openToVisitors = settings.pusher.publicRooms
        settings.rooms.fencesApps = apps.count > 1
        settings.rooms.keepsSignedRooms = isProved
    }

    /// The app of the three keys.
    private mutating func addApp() throws(SettingsError) {
        let pusher = settings.pusher
        guard pusher.appId != nil || pusher.key != nil || !pusher.secrets.isEmpty else { return }
        guard let id = pusher.appId, let key = pusher.key, !pusher.secrets.isEmpty else {
            let missing = pusher.appId == nil ? "appId" : pusher.key == nil ? "key" : "secret"
            throw SettingsError("pusher.\(missing) is missing: an app has an id, a key and a secret")
        }
        guard pusher.apps.isEmpty else {
            throw SettingsError("pusher.appId has no place beside pusher.apps: each of those says its own")
        }
        settings.pusher.apps = [PusherApp(id: id, key: key, secrets: pusher.secrets)]
    }
}
