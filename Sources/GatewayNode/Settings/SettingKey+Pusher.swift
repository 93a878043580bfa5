import Dialects
import GatewayCore
import SocketServer

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
        SettingKey(
            "pusher.maxEventBytes", \.pusher.maxEventBytes, .bytes(1024...(64 << 10)),
            """
            How long the data of one event may be, of a client or a backend; above it a backend gets 413. A client's whole frame \
            is held to client.maxMessageBytes as well.
            """),
        SettingKey(
            "pusher.clientEventsPerSecond", \.client.limits.visitorEvents.perSecond, .integer(1...1_000_000),
            """
            Client events a second from one connection in the long run; more are refused with pusher:error 4301. They count in \
            client.messagesPerSecond too, like all else that a client sends: who goes on above that is closed with 4100.
            """),
        SettingKey(
            "pusher.clientEventBurst", \.client.limits.visitorEvents.burst, .integer(1...1_000_000),
            "How many client events one connection may send at once, where client.messageBurst lets as many through."),
        SettingKey(
            "pusher.activityTimeout", \.pusher.activityTimeout, .duration(.seconds(10)...(.seconds(3600))),
            """
            After how long a silence an app's clients ask by a ping whether the gateway is still there; theirs may be shorter. \
            Below it no proxy on the way may cut what is silent. In whole seconds.
            """),
        SettingKey(
            "pusher.maxUnreadBytes", \.client.maxUnreadBytes, .bytes((64 << 10)...(1 << 30)),
            """
            How much of large frames, such as those with all members of a presence channel, may wait for one of an app's \
            clients to read it, beside the first of them; above it the connection is closed with 4100.
            """),
        SettingKey(
            "pusher.maxCallBytes", \.client.maxCallBytes, .bytes((64 << 10)...(1 << 32)),
            """
            With api: client, how much the bodies of backends' calls may take that are coming in or being answered, on each \
            thread of the port for clients; above it calls get 503. Each counts 4KiB beside its body; at least api.maxBodyBytes and that.
            """),
        SettingKey(
            "pusher.callTimeout", \.client.callTimeout, .duration(.seconds(1)...(.seconds(300))),
            "With api: client, how long such a call may take to come, and to be answered, before it is cut off."),
        SettingKey(
            "pusher.api", \.pusher.api, .choice,
            """
            Which port answers what the apps' backends call, /apps/<id>/...: api, or client for both, since most libraries are \
            told one host for sockets and calls. These calls are signed with an app's secret and take no key.
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
        for index in apps.indices {
            settings.pusher.apps[index].maxEventBytes = settings.pusher.maxEventBytes
            settings.pusher.apps[index].activitySeconds = Int(settings.pusher.activityTimeout.components.seconds)
        }
        let longest = settings.api.maxBodyBytes + Hub.leastCallBytes
        guard settings.pusher.api == .api || settings.client.maxCallBytes >= longest else {
            throw SettingsError(
                "pusher.maxCallBytes is below api.maxBodyBytes and 4KiB: with pusher.api client, such a call would never be taken"
            )
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
