import GatewayCore
import RedisClient

/// Gives a room other settings, or closes it, where it still has those that the caller has seen.
package struct Govern: Script {
    package enum Change: Hashable, Sendable {
        case set(RoomSettings)
        case close(withLog: Bool)
    }

    package enum Answer: Hashable, Sendable {
        /// The new version.
        case changed(Int64)
        /// The present version; 0 where there are none.
        case moved(Int64)
    }

    /// How long the version of a closed room is kept, so that one that is opened again goes on from it.
    private static let closedLife = Duration.seconds(86_400)

    private let room: RoomName
    private let change: Change
    private let replaced: Int64
    private let link: String

    /// - Parameters:
    ///   - replaced: the version of what the room has; 0 for nothing.
    ///   - link: the name of the link that it goes over: with its number there a call is known when it is retried.
    package init(_ room: RoomName, _ change: Change, replacing replaced: Int64, link: String) {
        self.room = room
        self.change = change
        self.replaced = replaced
        self.link = link
    }

    package var file: RedisScript { Scripts.govern }

    package func spelled(with keys: Keys) -> ScriptCall {
        let channel = keys.channel(room)
        var arguments: [RedisArgument] = [
            .server, .integer(replaced), .attempt, .numbered(link), .milliseconds(LogLimits.emptyHeadLife),
            keys.publish, .string(channel.name),
        ]
        switch change {
        case .close(let withLog):
            arguments += [withLog ? "clear" : "close", .milliseconds(Govern.closedLife)]
        case .set(let settings):
            arguments += [
                "set", .milliseconds(settings.expires ?? .zero), .bytes(settings.text),
                settings.isLocked ? 1 : "", settings.maxMembers.map { .count($0) } ?? "",
                settings.slowMode.map { .count($0 * 1000) } ?? "", .string(Govern.spell(settings.join)),
                .string(Govern.spell(settings.publish)), .string(Govern.spell(settings.roles)),
            ]
        }
        return ScriptCall(
            keys: [keys.settings(of: room), keys.head(room), keys.state(Partition(of: room)), keys.log(room)],
            arguments: arguments, publishingOn: [channel])
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
        case "ok": self = .changed(version)
        case "moved": self = .moved(version)
        default: return nil
        }
    }
}
