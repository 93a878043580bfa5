import GatewayCore
import Synchronization

/// The partitions that this node looks after, as its coordinator tells them: written on the link's loop, read anywhere.
final class LedgerPosts: Sendable {
    private let marks = Mutex<[Int: String]>([:])

    func changed(_ partition: Partition, to mark: String?) {
        marks.withLock { $0[partition.number] = mark }
    }

    var all: [LedgerPost] {
        marks.withLock { marks in marks.map { LedgerPost(partition: $0.key, mark: $0.value) } }
    }
}
