/// The progress of registering all that the node holds under its present incarnation: first the connections of all
/// partitions, then the members of rooms, since one whose session has gone on elsewhere enters no room again.
struct Reregistration {
    enum Stage: Hashable, Sendable {
        case connections, rooms
    }

    /// Answers of one partition that are still to come.
    private struct Batch {
        let stage: Stage
        var remaining: Int
        var hasFailed: Bool
    }

    enum Outcome: Hashable {
        /// More answers are to come.
        case open
        /// Its connections are registered, or not all: then they come again later.
        case connectionsEnded
        /// The members of its rooms are not all registered: they come again later.
        case roomsFailed
        /// All of it is registered: the older incarnations may be swept there.
        case complete
    }

    private var connections = PartitionSet.all
    private var rooms = PartitionSet.all
    /// What is tried again by `retry`.
    private var failedConnections = PartitionSet.none
    private var failedRooms = PartitionSet.none
    private var batches: [Partition: Batch] = [:]

    /// The next partition to be gone through; nil while others have to end before.
    mutating func next() -> (partition: Partition, stage: Stage)? {
        if let partition = connections.popFirst() { return (partition, .connections) }
        guard failedConnections.isEmpty, !batches.values.contains(where: { $0.stage == .connections }) else {
            return nil
        }
        return rooms.popFirst().map { ($0, .rooms) }
    }

    /// A partition has been gone through: so many answers are to come, and something could not be asked for now.
    mutating func began(_ partition: Partition, _ stage: Stage, answers: Int, hasFailed: Bool) -> Outcome {
        batches[partition] = Batch(stage: stage, remaining: answers, hasFailed: hasFailed)
        return answers == 0 ? end(partition) : .open
    }

    mutating func answered(_ partition: Partition, isRegistered: Bool) -> Outcome {
        guard var batch = batches[partition] else { return .open }
        batch.remaining -= 1
        if !isRegistered { batch.hasFailed = true }
        batches[partition] = batch
        return batch.remaining == 0 ? end(partition) : .open
    }

    /// Whether something of the partition is still to be registered again, and nothing keeps all of them from it: one part of
    /// a Cluster that is away may stay so.
    func isOpen(_ partition: Partition) -> Bool {
        failedConnections.isEmpty
            && (connections.contains(partition) || rooms.contains(partition) || failedRooms.contains(partition)
                || batches[partition] != nil)
    }

    /// The older incarnations could not be given up in a partition.
    mutating func notRenounced(_ partition: Partition) { failedRooms.insert(partition) }

    /// What has failed in these partitions comes again.
    mutating func retry(_ partitions: PartitionSet) {
        for partition in partitions {
            if failedConnections.contains(partition) { connections.insert(partition) }
            if failedRooms.contains(partition) { rooms.insert(partition) }
        }
        failedConnections.subtract(partitions)
        failedRooms.subtract(partitions)
    }

    private mutating func end(_ partition: Partition) -> Outcome {
        guard let batch = batches.removeValue(forKey: partition) else { return .open }
        switch batch.stage {
        case .connections:
            if batch.hasFailed { failedConnections.insert(partition) }
            return .connectionsEnded
        case .rooms:
            guard batch.hasFailed else { return .complete }
            failedRooms.insert(partition)
            return .roomsFailed
        }
    }
}
