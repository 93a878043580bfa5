import Dialects
import GatewayCore
import RedisBackend

extension Settings {
    /// Who is told how many connections are in a room: of a channel's, its subscribers where the app switches that on, and the
    /// ledger where a receiver of the app's has asked for it by name. Of presence channels that tells their roster.
    var counting: @Sendable (RoomName) -> RoomCounting {
        let apps = PusherApps(pusher.apps).all
        let receivers = webhookConfiguration.receivers
        let countings = apps.map { app in
            RoomCounting(
                isToldSubscribers: app.tellsSubscriptionCount,
                isNoted: receivers.contains { $0.isOf(app) && $0.asksFor(.roomCounted) })
        }
        guard countings.contains(where: { $0 != .nobody }) else { return { _ in .nobody } }
        return { room in
            for (app, counting) in zip(apps, countings) {
                guard let channel = PusherChannel(room, of: app) else { continue }
                return channel.isPresence || room.isInbox ? .nobody : counting
            }
            return .nobody
        }
    }
}

extension WebhookReceiver {
    /// Whether it is told of this app's channels, in Pusher's form.
    func isOf(_ app: PusherApp) -> Bool {
        guard case .pusher(let id) = form else { return false }
        return id.map { $0 == app.id } ?? app.isFirst
    }

    /// Whether it has asked for this by name.
    func asksFor(_ type: EventType) -> Bool { types?.contains(type.rawValue) ?? false }
}
