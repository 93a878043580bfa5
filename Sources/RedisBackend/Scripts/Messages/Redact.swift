import GatewayCore
import RedisClient

/// Takes payloads of a room's messages away, wherever Redis keeps them, and tells the members.
package struct Redact: Script {
    package enum What: Hashable, Sendable {
        /// - Parameter epoch: nil for whichever the room's count runs through.
        case one(seq: Int, epoch: String?)
        case allOf(UserID)
        case all
    }

    package struct Answer: Hashable, Sendable {
        /// How many were taken away now.
        package let count: Int
        /// The last of them; with an empty epoch where the room never had such a message.
        package let position: Position
        /// Of the room's settings; 0 where it has none.
        package let version: Int64
        /// Why the client may not.
        package var denial: RoomDenial?
    }

    let room: RoomName
    let what: What
    /// Messages that the partition's stream keeps; nil where the room's do not go there.
    package var stream: Int?
    package var isArchived = false
    /// Those who may be told of the room's messages; nil where nobody is.
    package var receivers: [String]?
    /// The client that asks; nil for a backend, which may.
    package var author: RoomOrder.Author?

    package init(_ what: What, in room: RoomName) {
        self.what = what
        self.room = room
    }

    package var file: RedisScript { Scripts.redact }

    package func spelled(with keys: Keys) -> ScriptCall {
        let partition = Partition(of: room)
        var all = [keys.head(room), keys.log(room), keys.anew(room)]
        var flags = ""
        var channel = keys.channel(room)
        if let user = room.inboxOwner {
            flags += "i"
            all.append(keys.connections(of: user))
            channel = keys.node("", in: partition)
        }
        if author != nil {
            flags += "g"
            all += [keys.members(room), keys.settings(of: room)]
        }
        if stream != nil {
            flags += "m"
            all.append(keys.messages(partition))
        }
        if isArchived {
            flags += "a"
            all.append(keys.redactions(partition))
        }
        if let receivers {
            flags += "e"
            all += [keys.withheld(partition), keys.events(partition)]
            all += receivers.map { keys.deadLetters(of: $0, partition) }
        }
        let (word, wanted, epoch): (RedisArgument, RedisArgument, String) =
            switch what {
            case .one(let seq, let epoch): ("one", .count(seq), epoch ?? "")
            case .allOf(let user): ("user", .string(user.string), "")
            case .all: ("all", "", "")
            }
        return ScriptCall(
            keys: all,
            arguments: [
                keys.publish, .string(channel.name), .string(flags), .string(room.string), .string(room.owner),
                .count(stream ?? 0), word, wanted, .string(epoch), .count(receivers?.count ?? 0),
                .string(author?.user.string ?? ""), .string(author?.connection ?? ""),
            ], publishingOn: [channel])
    }

    package func read(_ reply: RedisReply) -> Answer? {
        guard let count = reply[0].integer, let epoch = reply[1].string, let seq = reply[2].integer,
            let version = reply[3].integer
        else { return nil }
        guard count >= 0 else {
            guard let denial = RoomDenial(rawValue: epoch) else { return nil }
            return Answer(count: 0, position: .unstored, version: version, denial: denial)
        }
        return Answer(count: Int(count), position: Position(epoch: epoch, seq: Int(seq)), version: version)
    }
}
