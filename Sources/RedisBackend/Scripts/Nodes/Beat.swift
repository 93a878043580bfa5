import RedisClient

/// Registers a node, or renews its entry.
package struct Beat: Script {
    package enum Mode: Hashable, Sendable {
        /// With the highest incarnation that the node has had; in the place of an entry of its name that was seen unchanged
        /// for a lease, if any; and what the node has made of what the deployment bears, nil before it has seen it.
        case register(after: Int64, over: LastBeat? = nil, Consent?)
        /// With the number of the beat that was answered last; 0 for none yet.
        case renew(incarnation: Int64, beat: Int64)
    }

    package enum Answer: Hashable, Sendable {
        /// `round`: how often the server was set back under one identity; `now` by Redis's clock, in ms.
        case registered(incarnation: Int64, round: Int64, now: Int64)
        case renewed(Index)
        /// The entry is gone.
        case lost
        /// Another instance, whose entry this is, has the node's name.
        case taken(by: LastBeat)
        /// This is no longer the server that the link was greeted by; nothing was written.
        case moved
        /// The deployment bears something else than the node knew; nothing was written.
        case changed(Format.Found)
    }

    /// A node's word on what it saw that the deployment bears, and what the deployment is to bear for it.
    package struct Consent: Hashable, Sendable {
        package let found: Format.Found
        package let format: Format

        package init(to found: Format.Found, _ format: Format) {
            self.found = found
            self.format = format
        }
    }

    /// The index, as it is behind the beat.
    package struct Index: Hashable, Sendable {
        package struct Node: Hashable, Sendable {
            package let name: String
            package let last: LastBeat
            /// When that came, in ms by Redis's clock.
            package let at: Int64
            /// What it says of itself.
            package let ability: Ability.Word

            package init(name: String, last: LastBeat, at: Int64, ability: Ability.Word = .able) {
                self.name = name
                self.last = last
                self.at = at
                self.ability = ability
            }
        }

        /// Redis's clock, in ms.
        package let now: Int64
        /// No incarnation above it was given before.
        package let newest: Int64
        /// How often connections of the node were marked to be closed.
        package let marks: Int64
        package let meeting: ServerMeeting
        /// In which format all nodes write.
        package let format: Int
        package let nodes: [Node]
    }

    /// The node that beats.
    package struct Node: Sendable {
        package let name: String
        /// Tells two processes of one name apart.
        package let instance: String
        package let lease: Duration
        /// `redis.failoverGrace`.
        package let failoverGrace: Duration

        package init(_ name: String, instance: String, lease: Duration, failoverGrace: Duration = .seconds(30)) {
            self.name = name
            self.instance = instance
            self.lease = lease
            self.failoverGrace = failoverGrace
        }

        /// As long as that of what the nodes hold: no step of Redis's clock by some hours ends it.
        private static let indexLife = Duration.seconds(86_400)

        /// As the script wants it, whatever it is told.
        fileprivate func spelled(
            with keys: Keys, mode: RedisArgument, incarnation: Int64, beat: Int64 = 0, description: String = "",
            expecting: Int64 = 0, left: String = "", consent: Consent? = nil,
            silent: [(node: String, last: LastBeat)] = []
        ) -> ScriptCall {
            ScriptCall(
                keys: [keys.index, keys.marked, keys.server, keys.deployment],
                arguments: [
                    mode, .string(name), .string(instance), .integer(incarnation), .milliseconds(lease),
                    .milliseconds(Node.indexLife), .string(description), .integer(expecting),
                    .server, .integer(beat), .milliseconds(failoverGrace), .string(left),
                    .string(consent?.known ?? ""), .string(Partition.layout),
                    .count(consent?.format.writes ?? 0), .count(consent?.format.reads ?? 0),
                ] + silent.flatMap { [.string($0.node), .integer($0.last.incarnation), .integer($0.last.number)] })
        }
    }

    let mode: Mode
    let node: Node
    /// What the node says of itself.
    let description: String
    /// Whom it declares dead; nil while it may not.
    let declaration: Declaration?
    /// The server with which it was in the index last, by its token; empty for none yet.
    let left: String

    package init(
        _ mode: Mode, of node: Node, description: String, left: String, declaring declaration: Declaration? = nil
    ) {
        self.left = left
        self.mode = mode
        self.node = node
        self.description = description
        self.declaration = declaration
    }

    package var file: RedisScript { Scripts.beat }

    package func spelled(with keys: Keys) -> ScriptCall {
        switch mode {
        case .register(let highest, let former, let consent):
            node.spelled(
                with: keys, mode: "register", incarnation: highest, description: description, left: left,
                consent: consent, silent: former.map { [(node.name, $0)] } ?? [])
        case .renew(let incarnation, let beat):
            node.spelled(
                with: keys, mode: "renew", incarnation: incarnation, beat: beat, description: description,
                expecting: declaration?.expected ?? 0, left: left,
                silent: declaration?.dead.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } ?? [])
        }
    }

    package func read(_ reply: RedisReply) -> Answer? {
        switch (reply[0].string, mode) {
        case ("ok", .register):
            guard let incarnation = reply[1].integer, let round = reply[2].integer, let now = reply[3].integer else {
                return nil
            }
            return .registered(incarnation: incarnation, round: round, now: now)
        case ("ok", .renew): return Index(reply).map { .renewed($0) }
        case ("lost", _): return .lost
        case ("taken", _):
            guard let incarnation = reply[1].integer, let number = reply[2].integer else { return nil }
            return .taken(by: LastBeat(incarnation: incarnation, number: number))
        case ("moved", _): return .moved
        case ("changed", .register): return .changed(Format.Found(reply))
        default: return nil
        }
    }
}

/// The last beat of a node as its entry shows it: while the node lives it is soon another.
package struct LastBeat: Hashable, Sendable {
    package let incarnation: Int64
    package let number: Int64

    package init(incarnation: Int64, number: Int64) {
        self.incarnation = incarnation
        self.number = number
    }
}

/// The nodes that a beat declares dead.
package struct Declaration: Hashable, Sendable {
    /// What Redis's clock shows about now, in ms, if it has not stepped since the last beat: a beat that is read much later,
    /// or by another clock, declares nobody.
    package let expected: Int64
    /// Nodes with the last beat that was seen of each: one that has beaten since lives.
    package let dead: [String: LastBeat]

    package init(expecting expected: Int64, dead: [String: LastBeat]) {
        self.expected = expected
        self.dead = dead
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
    /// `ok`, now, newest, marks, from, age, format, then node, incarnation, number of the beat, its time, and ability of each.
    package init?(_ reply: RedisReply) {
        guard let now = reply[1].integer, let newest = reply[2].integer, let marks = reply[3].integer,
            let from = reply[4].integer, let age = reply[5].integer, let format = reply[6].integer
        else { return nil }
        var nodes: [Node] = []
        for index in stride(from: 7, to: reply.count - 4, by: 5) {
            guard let name = reply[index].string, let incarnation = reply[index + 1].integer,
                let number = reply[index + 2].integer, let at = reply[index + 3].integer,
                let able = reply[index + 4].integer
            else { return nil }
            let last = LastBeat(incarnation: incarnation, number: number)
            nodes.append(Node(name: name, last: last, at: at, ability: able == 0 ? .unable : .able))
        }
        self.now = now
        self.newest = newest
        self.marks = marks
        meeting = ServerMeeting(from: from, age: age)
        self.format = Int(format)
        self.nodes = nodes
    }
}

extension Beat.Consent {
    /// As the script compares it.
    fileprivate var known: String {
        let borne = found.borne.map { "\($0.writes) \($0.reads)" } ?? " "
        return "\(found.partitions ?? "") \(borne)"
    }
}

extension Format.Found {
    /// `changed`, partitions, format, reads, then the formats that each node knows.
    fileprivate init(_ reply: RedisReply) {
        let borne = reply[2].integer.flatMap { writes in
            reply[3].integer.map { Format(writes: Int(writes), reads: Int($0)) }
        }
        self.init(
            partitions: reply[1].string.nonEmpty, borne: borne,
            nodes: (4..<max(4, reply.count)).map { reply[$0].string.flatMap { Format($0) } })
    }
}
