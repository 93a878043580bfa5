import GatewayCore
import RedisClient
import RedisClient

/// A key, or a channel, together with the partition it belongs to.
package struct Key: Hashable, Sendable {
    package let name: String
    /// Nil for the few keys of the deployment as a whole, which carry the tag `{nodes}`.
    package let partition: Partition?

    /// In a Cluster.
    package var slot: KeySlot { partition?.slot ?? Keys.indexSlot }
}

/// Every key and channel there is, with its type, its life and who writes it.
package struct Keys: Sendable {
    /// `redis.prefix`.
    package let prefix: String
    /// Whether they lie in a Cluster.
    package let isSharded: Bool
    /// What channels begin with, which Redis keeps in no database: the prefix and, but for database 0, a slash and the
    /// database. No prefix holds a slash or a colon, so that no two deployments share a channel, or a key.
    let channelPrefix: String
    /// What the keys of each partition begin with.
    private let beginnings: [String]
    private let channelBeginnings: [String]

    /// - Parameter database: of the links, which only channels must name.
    package init(prefix: String, database: Int = 0, isSharded: Bool = false) {
        self.prefix = prefix
        self.isSharded = isSharded
        channelPrefix = database == 0 ? prefix : "\(prefix)/\(database)"
        beginnings = Keys.beginnings(behind: prefix)
        channelBeginnings = Keys.beginnings(behind: channelPrefix)
    }

    private static func beginnings(behind prefix: String) -> [String] {
        Partition.all.map { "\(prefix):\($0.tag):" }
    }

    /// The slot of what the deployment has as a whole.
    package static let indexSlot = KeySlot(ofTag: "nodes")

    /// All slots that there is anything in.
    package static let slots = Partition.all.map(\.slot) + [indexSlot]

    /// The command by which scripts publish, as they are told it.
    var publish: RedisArgument { isSharded ? "SPUBLISH" : "PUBLISH" }

    /// never written: each script of a Cluster declares it, see ``ScriptCall``.
    func none(beside key: Key) -> String {
        key.partition.map { beginnings[$0.number] + "none" } ?? "\(prefix):{nodes}:none"
    }

    /// hash, no expiry, written by `beat` as the first node registers: `partitions`, how many there are and how tagged;
    /// `format`, in which all nodes write, raised as the last goes that knows no later one; `reads`, the oldest that may lie
    /// here; by `agree` `sessionKey`, which session ids are signed with.
    package var deployment: Key { Key(name: "\(prefix):{nodes}:deployment", partition: nil) }

    /// hash, EXPIRE a day, by each node's beat: node → instance, incarnation, number and time of its last beat, formats that
    /// it knows, what else it says of itself.
    package var index: Key { Key(name: "\(prefix):{nodes}:index", partition: nil) }

    /// stream, EXPIRE a month, bounded by count, by `audit`: calls of backends that changed something, or overstepped their keys.
    var calls: Key { nodesKey("calls") }

    /// zset, hash and string, EXPIRE the end of the last ban, by `ban` and `lift`: banned range of addresses → end of its ban
    /// in ms; range → why; the version of both.
    var addressBans: [Key] {
        [nodesKey("bans"), nodesKey("bans:why"), addressBanVersion]
    }

    /// The last of ``addressBans``, which each node reads once a second.
    var addressBanVersion: Key { nodesKey("bans:version") }

    /// string, PX 15 s, by each node every 5 s: who spends most on it, see `SpenderReport`.
    package func spenders(of node: String) -> Key { nodesKey("top:\(node)") }

    /// hash, no expiry, by each node's beat: `id` (the server that the index's nodes are registered with, see `ServerID`),
    /// `at` (when that was met), `from` (what lies below was registered with another; 0 where it is the first), `age` (for how long nodes have registered
    /// with it) and `seen` (until when that was counted), `newest` (the highest incarnation given), `round` (how often it
    /// was set back under one identity).
    package var server: Key { Key(name: "\(prefix):{nodes}:server", partition: nil) }

    /// hash, no expiry, by every script that meets another server: `run` (the server last met, see `ServerID`), `was` (the
    /// one before), `term`; by `meet` `round`, as ``server`` has it, and `born`, when all that lies here began; by `close` `ended`, the number of
    /// the last disconnection of a user.
    package func state(_ partition: Partition) -> Key { key(partition, "state") }

    /// hash, EXPIRE log age + 1 h, by `publish` and, but for inboxes, `position`, renewed by `touch`: epoch, term, seq,
    /// ends, `retried:<link>` (term, connection and seq behind which the link's next retry is looked for), held, due and
    /// slices of the log (see `slices.lua`); settings (see `epoch.lua`); by the presence scripts: roster, hidden and hidden members;
    /// by `guests`: guests, and counted (how many connections were told of last, when, and to the ledger); by `miss`: missed, when its
    /// last message was asked for in vain.
    package func head(_ room: RoomName) -> Key { roomKey(room, ":head") }

    /// hash, no expiry unless the settings say `expires`, which the nodes that follow the room renew, or a day once the room
    /// was closed, by `govern`, `moderate`, `hand_over`, `join` and the scripts that settle a head: what the room's settings are and decide (see `rights.lua`).
    ///
    /// The head names their version, so that a room without settings costs no look at them.
    package func settings(of room: RoomName) -> Key { roomKey(room, ":settings") }

    /// hash, no expiry, by `govern`, `moderate` and `hand_over`: governed room → who has the host's chair.
    package func governed(_ partition: Partition) -> Key { key(partition, "governed") }

    /// zset, no expiry, by the scripts that take members away, emptied by `hand_over`: room whose host has left → when.
    package func vacant(_ partition: Partition) -> Key { key(partition, "vacant") }

    /// hash, EXPIRE a day or as long as a session, by `govern`, `moderate` and `join`, which reads it in governed rooms:
    /// connections that were put out, and `@` and the user, until they join anew → when they were, in ms, which `govern` and
    /// `moderate` take away a day later; `+` and a connection that has joined since the room was closed lately → when that
    /// was, in ms; `>` → the cursor of HSCAN from which they go on looking for what to take away.
    package func out(of room: RoomName) -> Key { roomKey(room, ":out") }

    /// string, PX as long as the room's slow mode, by `publish`: there while a user may send no other message in a room.
    func pause(of user: UserID, in room: RoomName) -> Key {
        let partition = Partition(of: room)
        // Both may hold colons.
        let name = "\(room.string.utf8.count):\(room.string)\(user.string)"
        return Key(name: Keys.joined(beginnings[partition.number], "pause:", name, ""), partition: partition)
    }

    /// stream with ids `seq-0`, MAXLEN ~ log size, bounded in bytes, EXPIRE log age, by `publish`: t timestamp,
    /// o operation (its link, and its number there), b body.
    package func log(_ room: RoomName) -> Key { roomKey(room, ":log") }

    /// stream, gone within the script that makes it, by `redact`: what a log or dead letters become.
    func anew(_ room: RoomName) -> Key { roomKey(room, ":anew") }

    /// string, PX 2 min (a client's `dedupe`) or 10 min (a backend's key), by `publish`: epoch, seq, timestamp.
    ///
    /// Named by a digest, so that it is short however long the names are, and none is ever another key's: neither rooms
    /// nor users hold the control character between the parts, and the mark is the last.
    package func dedupe(_ room: RoomName, _ mark: DedupeMark) -> Key {
        let owner =
            switch mark.owner {
            case .user(let user): "u\u{0}\(user.string)"
            case .api: "a"
            case .outbox: "o"
            }
        let digest = SHA1.hexDigest(of: Array("\(room.string)\u{0}\(owner)\u{0}\(mark.key)".utf8))
        return key(Partition(of: room), "dedupe:\(digest.prefix(32))")
    }

    /// string, PX 10 min, by SET NX: digest of the request that used the key first, and the id it went under.
    ///
    /// In a Cluster it lies with the first room of the request, so that no request waits for a server that it is not about;
    /// a key that is used again for another first room then goes unnoticed.
    package func idempotency(_ idempotencyKey: String, beside room: RoomName) -> Key {
        key(isSharded ? Partition(of: room) : Partition(of: idempotencyKey), "idempotency:\(idempotencyKey)")
    }

    /// channel, by `publish`: the room's messages; by the presence scripts: its members' comings and goings.
    package func channel(_ room: RoomName) -> Key {
        let partition = Partition(of: room)
        if room.isEveryone { return channel(partition, "all") }
        return Key(
            name: Keys.joined(channelBeginnings[partition.number], "room:", room.owner, ""), partition: partition)
    }

    /// hash, EXPIRE a day, by `tell`: node → how often connections of it were marked to be closed, counted from the time of
    /// the first in ms; its beat reads it; `node:at` → when it was written last, a day after which both go.
    package var marked: Key { Key(name: "\(prefix):{nodes}:marked", partition: nil) }

    /// hash, EXPIRE session life, by the scripts that mark, read by the nodes: connection to be closed → node, close code, text.
    package func marks(_ partition: Partition) -> Key { key(partition, "marks") }

    /// hash, EXPIRE a day, by `connect`, renewed by the nodes: connection → holder, since in base 36, the session's
    /// secret, and `!` once it is to be closed.
    package func connections(of user: UserID) -> Key { userKey(user, "conns") }

    /// string, PXAT as long as a part of it holds, by `close` and `pardon`: until when the user is banned, before when
    /// tokens are void, in milliseconds, 0 where that does not hold; the number of the last disconnection.
    package func verdict(on user: UserID) -> Key { userKey(user, "verdict") }

    /// zset, EXPIRE a day, by the presence scripts, renewed by the coordinator: users told online → since.
    package func online(_ partition: Partition) -> Key { key(partition, "online") }

    /// hash, EXPIRE a day, by the presence scripts, renewed by the coordinator: users of whom something else is
    /// told than that they are there → `away`, `invisible`.
    package func states(_ partition: Partition) -> Key { key(partition, "states") }

    /// zset, bounded by age and by how many they are, by the presence scripts: user → last seen.
    package func seen(_ partition: Partition) -> Key { key(partition, "seen") }

    /// hash, EXPIRE session life, by `connect`, `session_resume` and `remember`, renewed by the node: u user, c connection, a its address, d its dialect (none: the gateway's own), e the
    /// number of the disconnection that it came after, b the connections before it, n how often it has gone on elsewhere, a field
    /// `r:<room>` for each room.
    package func session(_ session: SessionID) -> Key { key(session.partition, "session:\(session.string)") }

    /// hash, EXPIRE a day, by `join` and `leave`, renewed by the nodes: user → what is shown of it, and its connections here.
    package func members(_ room: RoomName) -> Key { roomKey(room, ":members") }

    /// set, EXPIRE a day, by `join` and `leave`, renewed by the nodes: the room's connections.
    package func connections(in room: RoomName) -> Key { roomKey(room, ":conns") }

    /// zset, EXPIRE a day, by `join` and `leave`, renewed by the coordinator: rooms with members or guests → since.
    package func rooms(_ partition: Partition) -> Key { key(partition, "rooms") }

    /// set, EXPIRE two days (it outlives what it names), by `connect` and `join`, renewed by the coordinator: every
    /// `node:incarnation` that holds something here.
    package func holders(_ partition: Partition) -> Key { key(partition, "holders") }

    /// set, EXPIRE two days, by `connect` and `join`, renewed by the node: `u|conn|user` `r|room|user|conn` and, by `guests`, `g|room`.
    package func held(by holder: Holder, in partition: Partition) -> Key { key(partition, "node:\(holder)") }

    /// zset, EXPIRE grace + two days, by `disconnect`, `leave` and `guests`, renewed by the coordinator: entries lost → end of their
    /// grace; rooms whose number of connections is still to be told → when.
    package func linger(_ partition: Partition) -> Key { key(partition, "linger") }

    /// hash, EXPIRE a day, by `sweep` and `renounce`: node → the incarnation below which it is dead here; `node:at` → when
    /// that was written, a day after which both go.
    package func fence(_ partition: Partition) -> Key { key(partition, "fence") }

    /// stream, bounded by count and in bytes, by the presence scripts: the ledger of all transitions: t type, u user, r room, c cause; by
    /// `publish`, where a receiver wants messages: these and e epoch, q seq, m timestamp, b body; d what else is told of a
    /// governed room; w the `traceparent` of the call that caused it, where it brought one.
    package func events(_ partition: Partition) -> Key { key(partition, "events") }

    /// hash, no expiry, by `gather`, `settle`, `trim` and `replay`: how far each receiver of events has come.
    package func webhooks(_ partition: Partition) -> Key { key(partition, "webhooks") }

    /// stream with the ledger's ids, bounded by count and in bytes, by `settle`: events that a receiver could not be given.
    package func deadLetters(of receiver: String, _ partition: Partition) -> Key { key(partition, "dead:\(receiver)") }

    /// hash, no expiry, by `publish`: what `events` and `messages` hold of messages, in bytes (see `slices.lua`).
    package func bytes(_ partition: Partition) -> Key { key(partition, "bytes") }

    /// stream, bounded by count and in bytes, by `publish`: messages of rooms whose rule says `stream: true`, for a backend's own consumers.
    package func messages(_ partition: Partition) -> Key { key(partition, "messages") }

    /// hash, no expiry, by `redact`, emptied by `archive_settle`: `epoch seq room` of a message whose payload the archive has to
    /// take away → `msgType timestamp user`, or nothing where those were not known.
    package func redactions(_ partition: Partition) -> Key { key(partition, "redactions") }

    /// zset, by `redact`, which lets go of what `events` holds no more: `epoch seq room` of a message whose payload nobody is
    /// told any more → its timestamp.
    package func withheld(_ partition: Partition) -> Key { key(partition, "withheld") }

    /// hash, EXPIRE a day, by `archive_take` and `archive_keep`: w the worker of the archive that has the partition, t its
    /// token, e until when.
    package func archiveLease(_ partition: Partition) -> Key { key(partition, "archive") }

    /// zset, EXPIRE a minute, by `archive_share`: worker of the archive → when it last said that it is at work.
    package var archiveWorkers: Key { nodesKey("archivers") }

    /// string, no expiry, by `claim` and `yield`: the fencing token, holder and number.
    package func coordinator(_ partition: Partition) -> Key { key(partition, "coordinator") }

    /// channel, by the presence scripts: `s <1 or 0> <timestamp>` as the user goes online and offline.
    package func status(of user: UserID) -> Key { channel(Partition(of: user.string), "status:\(user.string)") }

    /// channel, by `publish` and the presence scripts: what is for the users of one node, see `NodeMessage`.
    package func node(_ node: String, in partition: Partition) -> Key { channel(partition, "node:\(node)") }

    private func nodesKey(_ name: String) -> Key { Key(name: "\(prefix):{nodes}:\(name)", partition: nil) }

    private func userKey(_ user: UserID, _ part: String) -> Key {
        key(Partition(of: user.string), "user:\(user.string):\(part)")
    }

    /// - Parameter part: with its colon.
    private func roomKey(_ room: RoomName, _ part: String) -> Key {
        let partition = Partition(of: room)
        let kind = room.isInbox ? "inbox:" : "room:"
        return Key(
            name: Keys.joined(beginnings[partition.number], kind, room.owner, part), partition: partition)
    }

    /// The parts one behind the other, in memory that is asked for once.
    private static func joined(_ beginning: String, _ kind: String, _ owner: String, _ part: String) -> String {
        var name = ""
        name.reserveCapacity(beginning.utf8.count + kind.utf8.count + owner.utf8.count + part.utf8.count)
        name += beginning
        name += kind
        name += owner
        name += part
        return name
    }

    private func key(_ partition: Partition, _ name: String) -> Key {
        Key(name: beginnings[partition.number] + name, partition: partition)
    }

    private func channel(_ partition: Partition, _ name: String) -> Key {
        Key(name: channelBeginnings[partition.number] + name, partition: partition)
    }
}
