/// Operations that wait until the node may write, in their order and bounded.
///
/// Each partition has a gate of its own, since each may have a server of its own; the order holds within a partition.
struct WaitingOperations {
    /// Beyond it they are given up, and their partition is compared later.
    static let most = 100_000

    private struct Waiting {
        let operation: RegistrationMachine.Operation
        let partition: Partition
    }

    /// Gates are shut from the first operation that had to wait until all that wait there are carried out, so that none is
    /// overtaken.
    private var open = PartitionSet.none
    private var isStopped = false
    private var operations: [Waiting] = []

    /// Whether an operation there may be carried out, if the node may write.
    func isOpen(_ partition: Partition) -> Bool { open.contains(partition) }

    mutating func shut(_ partition: Partition) { open.remove(partition) }

    /// Keeps an operation; answers with it where there is no place.
    mutating func add(
        _ operation: RegistrationMachine.Operation, in partition: Partition
    ) -> RegistrationMachine.Operation? {
        guard !isStopped, operations.count < WaitingOperations.most else { return operation }
        operations.append(Waiting(operation: operation, partition: partition))
        return nil
    }

    /// All there may be carried out: those that wait first.
    mutating func open(_ partitions: PartitionSet) -> [RegistrationMachine.Operation] {
        open.formUnion(partitions)
        guard !operations.isEmpty else { return [] }
        let freed = operations.filter { partitions.contains($0.partition) }
        operations = freed.count == operations.count ? [] : operations.filter { !partitions.contains($0.partition) }
        return freed.map(\.operation)
    }

    /// None waits any more.
    mutating func stop() -> [RegistrationMachine.Operation] {
        isStopped = true
        defer { operations = [] }
        return operations.map(\.operation)
    }
}
