import GatewayCore
import RedisClient

/// Gives a message its room's next number, stores it and sends it to the members; answers where it was stored.
package struct Publish: Script {
    /// The bound on what a stream of the partition keeps, about.
    package struct Bound: Hashable, Sendable {
        package var entries: Int
        package var bytes: Int

        package init(entries: Int, bytes: Int) {
            self.entries = entries
            self.bytes = bytes
        }
    }

    let room: RoomName
    /// As `MessageBody` encodes it.
    let body: [UInt8]
    let dedupe: DedupeMark?
    /// What the room's log keeps.
    let limits: LogLimits
    /// The epoch that begins where the head is missing or of an earlier run of Redis.
    let candidate: String
    /// The name of the link that it goes over: with its number there a call is known when it is retried.
    let link: String
    /// Nil where the ledger is not told.
    package var ledger: Bound?
    /// What the ledger is told of as its cause; nil where nothing is known.
    package var cause: TraceContext?
    /// Nil where the message does not go into the partition's stream.
    package var stream: Bound?
    /// Whom the room's settings bind; nil where they bind nobody.
    package var sender: UserID?
    /// Whether the caller waits for a replica.
    package var isReplicated = false
    /// Whether the message is sent and not stored; then it has neither dedupe key nor stream.
    package var isVolatile = false

    package init(
        _ body: [UInt8], to room: RoomName, under dedupe: DedupeMark? = nil, limits: LogLimits, candidate: String,
        link: String
    ) {
        self.room = room
        self.body = body
        self.dedupe = dedupe
        self.limits = limits
        self.candidate = candidate
        self.link = link
    }

    package typealias Answer = Published

    package var file: RedisScript { Scripts.publish }

    package func spelled(with keys: Keys) -> ScriptCall {
        let partition = Partition(of: room)
        var all: [Key] = []
        all.reserveCapacity(10)
        all += [keys.state(partition), keys.head(room), keys.log(room)]
        var flags = ""
        if room.takesSettings {
            flags += "s"
            all.append(keys.settings(of: room))
            if let sender {
                flags += "c"
                all.append(keys.pause(of: sender, in: room))
            }
        }
        if let dedupe {
            flags += "d"
            all.append(keys.dedupe(room, dedupe))
        }
        var channel = keys.channel(room)
        if let user = room.inboxOwner {
            flags += "i"
            all += [keys.connections(of: user), keys.online(partition)]
            channel = keys.node("", in: partition)
        }
        if ledger != nil {
            flags += "e"
            all += [keys.events(partition), keys.bytes(partition)]
        }
        if stream != nil {
            flags += "m"
            all += [keys.messages(partition), keys.bytes(partition)]
        }
        if isReplicated { flags += "r" }
        if isVolatile { flags += "v" }
        return ScriptCall(
            keys: all,
            arguments: [
                .server, .string(candidate), .attempt, .numbered(link), .count(limits.size),
                .milliseconds(limits.age), .milliseconds(limits.headLife), keys.publish, .string(channel.name),
                .bytes(body), .milliseconds(dedupe?.life ?? .zero), .connection, .string(flags), .string(room.owner),
                .count(ledger?.entries ?? 0), .count(stream?.entries ?? 0), .count(limits.bytes),
                .count(ledger?.bytes ?? 0), .count(stream?.bytes ?? 0), .string(cause?.text ?? ""),
            ], publishingOn: [channel])
    }
}

/// Asks where a message was stored whose repeat Redis refused; fails where it was not.
package struct FindPublished: Script {
    package typealias Answer = Published

    private let publish: Publish
    private let number: Int64

    /// - Parameter number: by which the link knows the call.
    package init(_ publish: Publish, number: Int64) {
        self.publish = publish
        self.number = number
    }

    package var file: RedisScript { Scripts.published }

    package func spelled(with keys: Keys) -> ScriptCall {
        let call = publish.spelled(with: keys)
        let arguments = call.arguments.map { argument -> RedisArgument in
            switch argument {
            case .attempt: 1
            case .numbered(let link): .string("\(link)\(number)")
            case .connection, .bytes, .string, .integer, .server: argument
            }
        }
        return ScriptCall(keys: call.keys, arguments: arguments, publishingOn: call.channels)
    }
}

extension Published: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        guard let epoch = reply[0].string, let seq = reply[1].integer, let timestamp = reply[2].integer else {
            return nil
        }
        self.init(
            position: Position(epoch: epoch, seq: Int(seq)), timestamp: timestamp,
            reach: reply[4].integer.map { Reach(isOnline: reply[3].integer == 1, connections: Int($0)) })
    }
}
