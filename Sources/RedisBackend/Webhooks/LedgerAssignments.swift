import GatewayCore
import Synchronization

/// The partitions that this node looks after, as its coordinator tells them: written on the link's loop, read anywhere.
final class LedgerAssignments: Sendable {
    private let tokens = Mutex<[Int: String]>([:])

    func changed(_ partition: Partition, to token: String?) {
        tokens.withLock { $0[partition.number] = token }
    }

    var all: [LedgerAssignment] {
        tokens.withLock { tokens in tokens.map { LedgerAssignment(partition: $0.key, token: $0.value) } }
    }
}
