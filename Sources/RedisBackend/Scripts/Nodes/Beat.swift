import RedisClient

/// Registers a node, or renews its lease.
package struct Beat: Script {
    package enum Mode: Hashable, Sendable {
        /// With the highest incarnation that the node has had.
        case register(after: Int64)
        /// With the end of the lease that was answered last, in ms by Redis's clock; 0 for none yet.
        case renew(incarnation: Int64, leaseEnd: Int64)
    }

    package enum Answer: Hashable, Sendable {
        /// `round`: how often the server was set back under one identity.
        case registered(incarnation: Int64, round: Int64)
        case renewed(Index)
        /// The entry is gone.
        case lost
        /// Another instance has the node's name.
        case taken
        /// This is no longer the server that the link was greeted by; nothing was written.
        case moved
    }

    /// The index, as it is behind the beat.
    package struct Index: Hashable, Sendable {
        package struct Node: Hashable, Sendable {
            package let name: String
            package let incarnation: Int64
            /// The end of its lease, in ms by Redis's clock.
            package let end: Int64
            /// What it says of itself.
            package let ability: Ability.Word
        }

        /// Redis's clock, in ms.
        package let now: Int64
        /// How often connections of the node were marked to be closed.
        package let marks: Int64
        package let meeting: ServerMeeting
        package let nodes: [Node]
    }

    /// Who beats.
    package struct Node: Sendable {
        package let name: String
        /// Tells two processes of one name apart.
        package let instance: String
        package let lease: Duration

        package init(_ name: String, instance: String, lease: Duration) {
            self.name = name
            self.instance = instance
            self.lease = lease
        }

        private static let indexLife = Duration.seconds(120)

        /// As the script wants it, whatever it is told.
        fileprivate func spelled(
            with keys: Keys, mode: RedisArgument, incarnation: Int64, leaseEnd: Int64 = 0, description: String = "",
            declaringUntil: Int64 = 0, sparing: Int64 = 0, left: String = ""
        ) -> ScriptCall {
            ScriptCall(
                keys: [keys.index, keys.marked, keys.server],
                arguments: [
                    mode, .string(name), .string(instance), .integer(incarnation), .milliseconds(lease),
                    .milliseconds(Node.indexLife), .string(description), .integer(declaringUntil),
                    .server, .integer(leaseEnd), .integer(sparing),
                    .string(left),
                ])
        }
    }

    let mode: Mode
    let node: Node
    /// What the node says of itself.
    let description: String
    /// Until when, in ms by Redis's clock, it may declare others dead; 0: not at all.
    let declaringUntil: Int64
    /// The incarnation below which it may declare nobody dead.
    let sparing: Int64
    /// The server with which it was in the index last, by its token; empty for none yet.
    let left: String

    package init(
        _ mode: Mode, of node: Node, description: String, declaringUntil: Int64, sparing: Int64, left: String
    ) {
        self.mode = mode
        self.node = node
        self.description = description
        self.declaringUntil = declaringUntil
        self.sparing = sparing
        self.left = left
    }

    package var file: RedisScript { Scripts.beat }

    package func spelled(with keys: Keys) -> ScriptCall {
        let (word, incarnation, leaseEnd): (RedisArgument, Int64, Int64) =
            switch mode {
            case .register(let highest): ("register", highest, 0)
            case .renew(let incarnation, let end): ("renew", incarnation, end)
            }
        return node.spelled(
            with: keys, mode: word, incarnation: incarnation, leaseEnd: leaseEnd, description: description,
            declaringUntil: declaringUntil, sparing: sparing, left: left)
    }

    package func read(_ reply: RedisReply) -> Answer? {
        switch (reply[0].string, mode) {
        case ("ok", .register):
            reply[1].integer.flatMap { incarnation in
                reply[2].integer.map { .registered(incarnation: incarnation, round: $0) }
            }
        case ("ok", .renew): Index(reply).map { .renewed($0) }
        case ("lost", _): .lost
        case ("taken", _): .taken
        case ("moved", _): .moved
        default: nil
        }
    }
}

/// Takes a node out of the index.
package struct Release: Script {
    package typealias Answer = Done

    let node: Beat.Node

    package init(_ node: Beat.Node) {
        self.node = node
    }

    package var file: RedisScript { Scripts.beat }

    package func spelled(with keys: Keys) -> ScriptCall {
        node.spelled(with: keys, mode: "release", incarnation: 0)
    }
}

extension Beat.Index: ScriptAnswer {
    /// `ok`, now, marks, since, from, then node, incarnation, end of lease and ability of each.
    package init?(_ reply: RedisReply) {
        guard let now = reply[1].integer, let marks = reply[2].integer, let since = reply[3].integer,
            let from = reply[4].integer
        else { return nil }
        var nodes: [Node] = []
        for index in stride(from: 5, to: reply.count - 3, by: 4) {
            guard let name = reply[index].string, let incarnation = reply[index + 1].integer,
                let end = reply[index + 2].integer, let able = reply[index + 3].integer
            else { return nil }
            nodes.append(Node(name: name, incarnation: incarnation, end: end, ability: able == 0 ? .unable : .able))
        }
        self.now = now
        self.marks = marks
        meeting = ServerMeeting(since: since, from: from)
        self.nodes = nodes
    }
}
