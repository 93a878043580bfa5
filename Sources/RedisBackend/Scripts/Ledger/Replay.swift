import RedisClient

/// Has a receiver's events of a partition sent again, from an id on up to the last that it was given.
package struct Replay: Script {
    package typealias Answer = Done

    let partition: Partition
    /// Its name.
    let receiver: String
    /// The first entry's id.
    let first: String
    /// Nil for all.
    let types: Set<String>?

    package init(_ partition: Partition, for receiver: String, from first: String, types: Set<String>?) {
        self.partition = partition
        self.receiver = receiver
        self.first = first
        self.types = types
    }

    package var file: RedisScript { Scripts.replay }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.webhooks(partition), keys.events(partition)],
            arguments: [
                .string(receiver), .string(first), .string(types.map { $0.sorted().joined(separator: ",") } ?? "*"),
            ])
    }
}
