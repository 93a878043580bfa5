import GatewayCore
import Synchronization

/// A ledger of calls in memory.
final class MemoryCalls: CallLedger {
    let noted = Mutex<[BackendCall]>([])

    func note(_ call: BackendCall) { noted.withLock { $0.append(call) } }

    func calls(limit: Int, cursor: String?) async throws(DirectoryError) -> NotedCallPage {
        guard cursor != "bad" else { throw .badCursor }
        let calls = noted.withLock { $0.reversed().prefix(limit).map { NotedCall($0, timestamp: 5) } }
        return NotedCallPage(calls: calls, next: calls.count < limit ? nil : "5-0")
    }
}
