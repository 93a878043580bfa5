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

    /// As the ledger has it.
    package var type: EventType {
        switch self {
        case .channelOccupied: .roomOccupied
        case .channelVacated: .roomVacated
        case .memberAdded: .memberJoined
        case .memberRemoved: .memberLeft
        case .subscriptionCount: .roomCounted
        case .clientEvent: .clientEvent
        case .cacheMiss: .roomMissed
        }
    }

    /// Whether only a receiver that names it is told of it: what clients cause as often as they please, and what is noted for
    /// this alone.
    package var isByNameOnly: Bool { EventType.ofApps.contains(type) }

    init?(type: String) {
        guard let event = PusherHookEvent.allCases.first(where: { $0.type.rawValue == type }) else { return nil }
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
        /// What a client has sent.
        let message: LedgerEvent.Message?

        /// Nil for what is not told, or is not this app's.
        init?(_ event: LedgerEvent, _ app: PusherApp) {
            guard let told = PusherHookEvent(type: event.type),
                let room = event.roomId.flatMap({ RoomName($0) }), !room.isInbox,
                let channel = PusherChannel(room, of: app)
            else { return nil }
            (self.event, self.channel) = (told, channel)
            details = told == .subscriptionCount ? event.details : nil
            message = told == .clientEvent ? event.message : nil
            // Of who sends in other channels nobody is told, as no member of theirs is.
            guard told != .clientEvent else {
                let sender = channel.isPresence ? event.userId.flatMap({ $0.isEmpty ? nil : $0 }) : nil
                user = sender.flatMap { app.name(of: UserID(unchecked: $0)) }
                return
            }
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
            if let message { append(message, to: &body) }
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

        private func append(_ message: LedgerEvent.Message, to body: inout [UInt8]) {
            JSONWriter.append(#","event":"#, to: &body)
            JSONWriter.append(string: message.event?.string ?? "", to: &body)
            JSONWriter.append(#","data":"#, to: &body)
            if message.payload.first == UInt8(ascii: "\"") {
                body += message.payload
            } else {
                JSONWriter.append(text: message.payload, to: &body)
            }
            if let sender = message.sender.flatMap({ PusherSocketID(connectionID: $0) }) {
                JSONWriter.append(#","socket_id":"#, to: &body)
                JSONWriter.append(string: sender.description, to: &body)
            }
        }
    }
}
