import GatewayCore
import RedisClient

/// Asks which of what a node has registered in a partition lacks a part in Redis, and who of it is invisible there.
package struct Compare: Script {
    /// Places in `entries`.
    package struct Answer: Hashable, Sendable {
        package var lacking: [Int]
        /// Whose user is told to be invisible; who is hidden in the room.
        package var hidden: [Int]

        package init(lacking: [Int], hidden: [Int] = []) {
            self.lacking = lacking
            self.hidden = hidden
        }
    }

    package enum Entry: Hashable, Sendable {
        case user(UserID, connection: String, session: SessionID)
        case member(UserID, connection: String, room: RoomName)
        case guests(RoomName, count: Int)

        package var entry: HeldEntry {
            switch self {
            case .user(let user, let connection, _): .user(user, connection: connection)
            case .member(let user, let connection, let room): .member(user, connection: connection, room: room)
            case .guests(let room, _): .guests(room)
            }
        }
    }

    /// What one call takes.
    package static let most = 200

    let entries: [Entry]
    let partition: Partition
    let holder: Holder

    package init(_ entries: [Entry], in partition: Partition, holder: Holder) {
        self.entries = entries
        self.partition = partition
        self.holder = holder
    }

    package var file: RedisScript { Scripts.compare }

    package func spelled(with keys: Keys) -> ScriptCall {
        var all = [keys.online(partition), keys.rooms(partition), keys.holders(partition), keys.states(partition)]
        var arguments: [RedisArgument] = [.string(holder.description)]
        for entry in entries {
            switch entry {
            case .user(let user, let id, let session):
                all += [keys.connections(of: user), keys.session(session)]
                arguments += ["u", .string(id), .string(user.string)]
            case .member(let user, let id, let room):
                all += [keys.members(room), keys.connections(in: room), keys.head(room)]
                arguments += ["r", .string(id), .string(user.string), .string(room.string)]
            case .guests(let room, let count):
                all.append(keys.head(room))
                arguments += ["g", .count(count), .string(room.string)]
            }
        }
        return ScriptCall(keys: all, arguments: arguments)
    }

    package func read(_ reply: RedisReply) -> Answer? {
        guard let lacking = places(reply[0]), let hidden = places(reply[1]) else { return nil }
        return Answer(lacking: lacking, hidden: hidden)
    }

    private func places(_ reply: RedisReply) -> [Int]? {
        reply.array.map { $0.compactMap { $0.integer.map(Int.init) }.filter(entries.indices.contains) }
    }
}
