import GatewayCore
import RedisClient

/// Says how many of a node's connections are in a room and show nobody there.
package struct CountGuests: Script {
    package enum Answer: Hashable, Sendable {
        /// It is noted: how many connections there are, where subscribers may not have heard that over the room's channel.
        case counted(Int?)
        /// The node is dead here below this incarnation.
        case fenced(at: Int64)
    }

    let report: GuestCounts.Report
    let holder: Holder
    /// Whether the holder is known to stand among those of the room's partition.
    let isKnown: Bool
    let settings: PresenceSettings

    package init(_ report: GuestCounts.Report, holder: Holder, isKnown: Bool = false, settings: PresenceSettings) {
        self.report = report
        self.holder = holder
        self.isKnown = isKnown
        self.settings = settings
    }

    package var file: RedisScript { Scripts.guests }

    package func spelled(with keys: Keys) -> ScriptCall {
        let room = report.room
        let partition = Partition(of: room)
        let channel = keys.channel(room)
        let grace: RedisArgument =
            switch report.departure {
            case .abrupt: .milliseconds(settings.grace + settings.roomGrace)
            case .farewell, nil: ""
            }
        return ScriptCall(
            keys: [
                keys.members(room), keys.connections(in: room), keys.rooms(partition), keys.head(room),
                keys.holders(partition), keys.held(by: holder, in: partition), keys.linger(partition),
                keys.fence(partition), keys.events(partition),
            ],
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(room.string), .count(report.count),
                .string(report.isRestored ? PresenceCause.restored.rawValue : ""),
                .string((report.departure?.cause ?? .explicit).rawValue), grace, .milliseconds(settings.life),
                .milliseconds(LogLimits.emptyHeadLife), .milliseconds(settings.listLife), .count(settings.ledgerSize),
                .mustAnnounce(isKnown: isKnown), keys.publish, .string(channel.name), settings.counting(room).argument,
            ], publishingOn: [channel])
    }
}

extension CountGuests.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let number = reply[1].integer else { return nil }
        switch reply[0].string {
        case "ok": self = .counted(number < 0 ? nil : Int(number))
        case "fenced": self = .fenced(at: number)
        default: return nil
        }
    }
}

extension RoomCounting {
    /// As `tell_count` reads it.
    var argument: RedisArgument {
        .string((isToldSubscribers ? "s" : "") + (isNoted ? "w" : ""))
    }
}
