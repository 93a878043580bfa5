import GatewayCore

/// A key, or a channel, together with the partition it belongs to.
package struct Key: Hashable, Sendable {
    package let name: String
    /// Nil for the few keys of the deployment as a whole, which carry the tag `{nodes}`.
    package let partition: Partition?
}

/// Every key and channel there is, with its type, its life and who writes it.
package struct Keys: Sendable {
    /// `redis.prefix`.
    package let prefix: String

    package init(prefix: String) {
        self.prefix = prefix
    }

    /// hash, no expiry, written once by the first node: `partitions`, the number all nodes must agree on.
    package var deployment: Key { Key(name: "\(prefix):{nodes}:deployment", partition: nil) }

    /// hash, EXPIRE 120 s, by each node's beat: node → instance, incarnation, end of its lease, what it says of itself.
    package var index: Key { Key(name: "\(prefix):{nodes}:index", partition: nil) }

    /// hash, no expiry, by every script that meets another run of Redis: `run` (the run_id last met), `term`.
    package func state(_ partition: Partition) -> Key { key(partition, "state") }

    /// hash, EXPIRE log age + 1 h, by `publish` and `position`, renewed by `touch`: epoch, term, seq, ends,
    /// `retried:<link>` (term, connection and seq behind which the link's next retry is looked for).
    package func head(_ room: RoomName) -> Key { roomKey(room, "head") }

    /// stream with ids `seq-0`, MAXLEN ~ log size, EXPIRE log age, by `publish`: t timestamp, o operation, b body.
    package func log(_ room: RoomName) -> Key { roomKey(room, "log") }

    /// string, PX 2 min (a client's `dedupe`) or 10 min (a backend's key), by `publish`: epoch, seq, timestamp.
    package func dedupe(_ room: RoomName, _ mark: DedupeMark) -> Key {
        switch mark.owner {
        case .user(let user): roomKey(room, "dedupe:u\(user.string.utf8.count):\(user.string):\(mark.key)")
        case .api: roomKey(room, "dedupe:api:\(mark.key)")
        }
    }

    /// string, PX 10 min, by SET NX: digest of the request that used the key first, and the id it went under.
    package func idempotency(_ idempotencyKey: String) -> Key {
        key(Partition(of: idempotencyKey), "idempotency:\(idempotencyKey)")
    }

    /// channel, by `publish`: the room's messages.
    package func channel(_ room: RoomName) -> Key {
        room.isEveryone ? key(Partition(of: room), "all") : roomKey(room, nil)
    }

    private func roomKey(_ room: RoomName, _ part: String?) -> Key {
        let name = (room.isInbox ? "inbox:" : "room:") + room.owner
        return key(Partition(of: room), part.map { "\(name):\($0)" } ?? name)
    }

    private func key(_ partition: Partition, _ name: String) -> Key {
        Key(name: "\(prefix):\(partition.tag):\(name)", partition: partition)
    }
}
