/// The word of one server of a Cluster on who has which slot: what it answers to `CLUSTER NODES` and `CLUSTER SLOTS`.
package struct ClusterWord: Sendable, Hashable {
    package struct Primary: Sendable, Hashable {
        package let id: String
        package let place: RedisConfiguration.Endpoint
        /// Of two that claim a slot the one with the higher has it (Redis Cluster Specification, "Hash slots
        /// configuration propagation").
        package let epoch: Int64
        package let slots: [ClosedRange<UInt16>]

        package init(id: String, place: RedisConfiguration.Endpoint, epoch: Int64, slots: [ClosedRange<UInt16>]) {
            self.id = id
            self.place = place
            self.epoch = epoch
            self.slots = slots
        }

        func has(_ slot: KeySlot) -> Bool { slots.contains { $0.contains(slot.number) } }
    }

    /// Those that have any slot.
    package let primaries: [Primary]
    /// All that it knows of its Cluster, itself and replicas included, by id: of two Clusters none is in both.
    package let members: Set<String>
    /// The id of whoever says it, where it is among those that it tells of.
    package let speaker: String?
    /// Whether it has said another id of itself than any of these, as a proxy may: then ids tell nothing.
    package let isMisnamed: Bool

    /// - Parameter members: nil for no others than the primaries.
    package init(primaries: [Primary], members: Set<String>? = nil, speaker: String? = nil, isMisnamed: Bool = false) {
        self.primaries = primaries
        self.speaker = speaker
        self.members = members ?? Set(primaries.map(\.id))
        self.isMisnamed = isMisnamed
    }

    /// - Parameters:
    ///   - nodes: the answer to `CLUSTER NODES`: ids, roles, epochs, slots.
    ///   - slots: the answer to `CLUSTER SLOTS`, which alone says under which address clients are to come.
    ///   - asked: where it was asked, which is what a server without a name means by itself.
    ///   - id: the answer to `CLUSTER MYID`; nil where it gave none.
    /// - Returns: Nil where it is not what such answers look like.
    package init?(nodes: String, slots: RedisReply, at asked: RedisConfiguration.Endpoint, id: String? = nil) {
        guard let ranges = slots.array else { return nil }
        var places: [String: RedisConfiguration.Endpoint] = [:]
        for range in ranges {
            // Replicas as well, one of which may have taken over by the next answer.
            guard let servers = range.array?.dropFirst(2), !servers.isEmpty else { return nil }
            for server in servers {
                guard let port = server[1].integer, let id = server[2].string else { return nil }
                places[id] = ClusterWord.endpoint(server, port: port, asked: asked)
            }
        }
        var primaries: [Primary] = []
        var members: Set<String> = []
        var speaker: String?
        var isMisnamed = id != nil
        for line in nodes.split(whereSeparator: \.isNewline) {
            // id, address, flags, primary, ping, pong, epoch, link, slots
            let words = line.split(separator: " ")
            guard words.count >= 8, let epoch = Int64(words[6]) else { return nil }
            let named = String(words[0])
            if named == id { isMisnamed = false }
            let flags = words[2].split(separator: ",")
            if flags.contains("myself") { speaker = named }
            // Until it has answered, its id is one that was made up for it.
            if !flags.contains("handshake") { members.insert(named) }
            guard flags.contains("master"), let place = places[named] else { continue }
            // What stands in brackets is on the move.
            let owned = words[8...].filter { !$0.hasPrefix("[") }.compactMap(ClusterWord.range)
            if !owned.isEmpty { primaries.append(Primary(id: named, place: place, epoch: epoch, slots: owned)) }
        }
        self.init(primaries: primaries, members: members, speaker: speaker, isMisnamed: isMisnamed)
    }

    /// The address among what else is said of a server, names and values in turn.
    private static func address(_ more: RedisReply) -> String? {
        let name = stride(from: 0, to: more.count, by: 2).first { more[$0].string == "ip" }
        return name.flatMap { more[$0 + 1].string }
    }

    private static func range(_ text: Substring) -> ClosedRange<UInt16>? {
        let ends = text.split(separator: "-").map { UInt16($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last else {
            return nil
        }
        return first...last
    }

    /// Nil where it is no place that one could dial.
    private static func endpoint(
        _ server: RedisReply, port: Int64, asked: RedisConfiguration.Endpoint
    ) -> RedisConfiguration.Endpoint? {
        // "?" is said where names are preferred and the server has none (`cluster-preferred-endpoint-type hostname`); its
        // address stands behind. With `unknown-endpoint` nothing is said.
        let said = server[0].string ?? ""
        guard let host = said == "?" ? address(server[3]) : said else { return nil }
        guard host.isEmpty else { return Sentinels.endpoint(host: host, port: "\(port)") }
        guard case .tcp(let host, _) = asked, let number = UInt16(exactly: port), number > 0 else { return nil }
        return .tcp(host: host, port: Int(number))
    }
}

/// The state of a Cluster as one of its servers says it in `CLUSTER INFO`.
package struct ClusterState: Sendable, Hashable {
    /// Whether it answers commands for its slots: it sees most of the primaries.
    package let isFine: Bool
    /// Grows with each failover and with each slot that moves.
    package let epoch: Int64
    /// Whose data it has; nil where it is a replica.
    package let primary: ServerID?

    package init(isFine: Bool, epoch: Int64, primary: ServerID? = nil) {
        self.isFine = isFine
        self.epoch = epoch
        self.primary = primary
    }

    /// - Parameters:
    ///   - info: the answer to `CLUSTER INFO`.
    ///   - server: that to `INFO` about the server and its replication.
    package init?(_ info: String, server: String) {
        let fields = ClusterState.fields(info).merging(ClusterState.fields(server)) { first, _ in first }
        guard let state = fields["cluster_state"], let epoch = fields["cluster_current_epoch"].flatMap({ Int64($0) })
        else { return nil }
        var primary: ServerID?
        if fields["role"] == "master", let runID = fields["run_id"], let history = fields["master_replid"] {
            primary = ServerID(runID: String(runID), replicationID: String(history))
        }
        self.init(isFine: state == "ok", epoch: epoch, primary: primary)
    }

    private static func fields(_ info: String) -> [Substring: Substring] {
        var fields: [Substring: Substring] = [:]
        for line in info.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        return fields
    }
}
