import Dialects
import GatewayCore

/// What Pusher's webhooks tell of.
package enum PusherHookEvent: String, CaseIterable, Sendable {
    case channelOccupied = "channel_occupied"
    case channelVacated = "channel_vacated"
    case memberAdded = "member_added"
    case memberRemoved = "member_removed"
    case clientEvent = "client_event"
    case cacheMiss = "cache_miss"
    case subscriptionCount = "subscription_count"

    /// As the ledger has it; nil for what it does not keep.
    package var type: EventType? {
        switch self {
        case .channelOccupied: .roomOccupied
        case .channelVacated: .roomVacated
        case .memberAdded: .memberJoined
        case .memberRemoved: .memberLeft
        case .subscriptionCount: .roomCounted
        case .clientEvent, .cacheMiss: nil
        }
    }

    /// Whether only a receiver that names it is told of it: what clients cause as often as they please, and what is noted for
    /// this alone.
    package var isByNameOnly: Bool { type.map(EventType.ofApps.contains) ?? true }

    init?(type: String) {
        guard let event = PusherHookEvent.allCases.first(where: { $0.type?.rawValue == type }) else { return nil }
        self = event
    }

    /// Whether it is about one user of the channel, and of presence channels alone.
    fileprivate var isOfMember: Bool { self == .memberAdded || self == .memberRemoved }
}

/// Events as a backend of Pusher's receives them: `{"time_ms":…,"events":[…]}`.
package enum PusherEventBody {
    /// Nil where none of the events is about a channel of the app.
    ///
    /// - Parameter now: milliseconds since 1970: receivers refuse what is minutes old, and so a repeat has its own.
    package static func encode(_ events: [LedgerEvent], of app: PusherApp, now: Int64) -> [UInt8]? {
        var body: [UInt8] = []
        JSONWriter.append(#"{"time_ms":"#, to: &body)
        JSONWriter.append(integer: now, to: &body)
        JSONWriter.append(#","events":["#, to: &body)
        var isFirst = true
        for event in events {
            guard let told = Told(event, app) else { continue }
            if !isFirst { JSONWriter.append(",", to: &body) }
            isFirst = false
            told.append(to: &body)
        }
        guard !isFirst else { return nil }
        JSONWriter.append("]}", to: &body)
        return body
    }

    /// Whether an event is about a channel of the app.
    static func tells(_ event: LedgerEvent, of app: PusherApp) -> Bool { Told(event, app) != nil }

    private struct Told {
        let event: PusherHookEvent
        let channel: PusherChannel
        /// As the app calls them.
        let user: String?
        /// What else is told, a JSON object whose fields stand among the others.
        let details: [UInt8]?

        /// Nil for what is not told, or is not this app's.
        init?(_ event: LedgerEvent, _ app: PusherApp) {
            guard let told = PusherHookEvent(type: event.type),
                let room = event.roomId.flatMap({ RoomName($0) }), !room.isInbox,
                let channel = PusherChannel(room, of: app)
            else { return nil }
            (self.event, self.channel) = (told, channel)
            details = told == .subscriptionCount ? event.details : nil
            guard told.isOfMember else {
                user = nil
                return
            }
            guard channel.isPresence, let user = event.userId.flatMap({ app.name(of: UserID(unchecked: $0)) }) else {
                return nil
            }
            self.user = user
        }

        func append(to body: inout [UInt8]) {
            JSONWriter.append(#"{"name":"#, to: &body)
            JSONWriter.append(string: event.rawValue, to: &body)
            JSONWriter.append(#","channel":"#, to: &body)
            JSONWriter.append(string: channel.name, to: &body)
            if let user {
                JSONWriter.append(#","user_id":"#, to: &body)
                JSONWriter.append(string: user, to: &body)
            }
            if let details {
                JSONWriter.append(",", to: &body)
                body += details.dropFirst().dropLast()
            }
            JSONWriter.append("}", to: &body)
        }
    }
}
