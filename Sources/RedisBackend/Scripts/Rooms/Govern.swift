import GatewayCore
import RedisClient
import Traces
import Tracing

/// Gives a room other settings, or closes it, where it still has those that the caller has seen.
package struct Govern: Script {
    package enum Change: Hashable, Sendable {
        case set(RoomSettings)
        case close(withLog: Bool)
    }

    package enum Answer: Hashable, Sendable {
        /// The new version, and the nodes whose connections were put out.
        case changed(Int64, marked: [String])
        /// The present version; 0 where there are none.
        case moved(Int64)
    }

    /// How long the version of a closed room is kept, so that one that is opened again goes on from it.
    private static let closedLife = Duration.seconds(86_400)

    private let room: RoomName
    private let change: Change
    private let replaced: Int64
    private let link: String
    private let settings: PresenceSettings
    /// Of the call that wants it.
    private let cause = ServiceContext.current?.cause

    /// - Parameters:
    ///   - replaced: the version of what the room has; 0 for nothing.
    ///   - link: the name of the link that it goes over: with its number there a call is known when it is retried.
    package init(
        _ room: RoomName, _ change: Change, replacing replaced: Int64, link: String,
        settings: PresenceSettings = PresenceSettings()
    ) {
        self.room = room
        self.change = change
        self.replaced = replaced
        self.link = link
        self.settings = settings
    }

    package var file: RedisScript { Scripts.govern }

    package func spelled(with keys: Keys) -> ScriptCall {
        let partition = Partition(of: room)
        let (channel, nodes) = (keys.channel(room), keys.node("", in: partition))
        var arguments: [RedisArgument] = [
            .server, .integer(replaced), .attempt, .numbered(link), .milliseconds(LogLimits.emptyHeadLife),
            keys.publish, .string(channel.name), .string(nodes.name), .string(room.string),
            .count(settings.ledgerSize), .milliseconds(settings.disconnectionLife),
            .milliseconds(settings.sessionLife),
        ]
        switch change {
        case .close(let withLog):
            arguments += [withLog ? "clear" : "close", .milliseconds(Govern.closedLife), .string(cause?.text ?? "")]
        case .set(let settings):
            arguments += [
                "set", .milliseconds(settings.expires ?? .zero), .string(cause?.text ?? ""), .bytes(settings.text),
                settings.isLocked ? 1 : "", settings.maxMembers.map { .count($0) } ?? "",
                settings.slowMode.map { .count($0 * 1000) } ?? "", .string(Govern.spell(settings.join)),
                .string(Govern.spell(settings.publish)), .string(Govern.spell(settings.roles)),
                .string(settings.hostHandover?.rawValue ?? ""),
            ]
        }
        return ScriptCall(
            keys: [
                keys.settings(of: room), keys.head(room), keys.state(partition), keys.log(room), keys.members(room),
                keys.connections(in: room), keys.rooms(partition), keys.linger(partition), keys.events(partition),
                keys.governed(partition), keys.vacant(partition), keys.out(of: room), keys.marks(partition),
                keys.coordinator(partition),
            ], arguments: arguments, publishingOn: [channel, nodes])
    }

    /// Each between commas; one comma where there are none, and nothing where that is not said.
    private static func spell(_ roles: [RoleName]?) -> String {
        roles.map { $0.reduce(into: ",") { $0 += "\($1.string)," } } ?? ""
    }

    private static func spell(_ roles: [RoleRights]) -> String {
        roles.reduce(into: "") { text, role in
            text += ";\(role.role.string)=\(role.rights.reduce(into: ",") { $0 += "\($1.rawValue)," })"
        }
    }
}

extension Govern.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let version = reply[1].integer else { return nil }
        switch reply[0].string {
        case "ok": self = .changed(version, marked: reply[2].strings)
        case "moved": self = .moved(version)
        default: return nil
        }
    }
}
