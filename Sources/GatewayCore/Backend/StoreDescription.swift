/// What a deployment's data lie on, as one node sees it.
package struct StoreDescription: Hashable, Sendable {
    package enum Kind: String, Sendable {
        case redis
        case valkey
    }

    /// One server with a part of the partitions.
    package struct Shard: Hashable, Sendable {
        /// Where its primary is.
        package var address: String
        package var partitions: Int
        /// Whether it takes commands and what is published there comes.
        package var answers: Bool

        package init(address: String, partitions: Int, answers: Bool) {
            self.address = address
            self.partitions = partitions
            self.answers = answers
        }
    }

    package var kind: Kind
    package var version: String
    /// `single`, `sentinel` or `cluster`.
    package var topology: String
    package var shards: [Shard]

    package init(kind: Kind, version: String, topology: String, shards: [Shard]) {
        self.kind = kind
        self.version = version
        self.topology = topology
        self.shards = shards
    }
}
