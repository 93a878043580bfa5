import GatewayCore
import Synchronization

/// The calls of backends, as Redis keeps them.
final class RedisCallLedger: CallLedger {
    /// Beyond so many without an answer none is noted: Redis is away, or somebody asks what no key may.
    private static let maxUnderWay = 256

    private let store: Store
    private let underWay = Atomic<Int>(0)

    init(store: Store) {
        self.store = store
    }

    func note(_ call: BackendCall) {
        guard underWay.wrappingAdd(1, ordering: .relaxed).newValue <= RedisCallLedger.maxUnderWay else {
            underWay.wrappingSubtract(1, ordering: .relaxed)
            return
        }
        store.call(NoteCall(call)) { [self] _ in underWay.wrappingSubtract(1, ordering: .relaxed) }
    }

    func calls(limit: Int, cursor: String?) async throws(DirectoryError) -> NotedCallPage {
        guard cursor.map(RedisCallLedger.isEntry) ?? true else { throw .badCursor }
        let answer: ReadCalls.Answer
        do {
            answer = try await store.call(ReadCalls(before: cursor ?? "", count: limit))
        } catch {
            throw .backend(BackendError(error))
        }
        return NotedCallPage(calls: answer.calls, next: answer.calls.count < limit ? nil : answer.last)
    }

    private static func isEntry(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { UInt64($0) != nil && $0.utf8.first != UInt8(ascii: "+") }
    }
}
