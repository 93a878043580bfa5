import Synchronization

/// The account of what a node holds for its clients at this moment, all kinds of it under one budget; any thread.
///
/// It counts, and refuses messages where too many are on their way to Redis; what is to be done above the budget says
/// `NodeMemory`. Bytes that several connections share, such as a message on its way to a whole room, count for each of
/// them, so that the sum is rather too high than too low.
package final class MemoryAccount: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// Waits in the channels of sockets whose clients do not read it.
        case sockets
        /// Missed messages, held or asked for, of those that are being caught up.
        case catchUps = "catch_ups"
        /// Messages sent to Redis that have no answer yet.
        case publishes
        /// What the streams have brought and an event loop has not looked at.
        case mail
        /// Messages of clients of which only a part has come.
        case halfMessages = "half_messages"
    }

    /// Of all kinds together.
    package let budget: Int
    private let sockets = Atomic<Int>(0)
    private let catchUps = Atomic<Int>(0)
    private let publishes = Atomic<Int>(0)
    private let mail = Atomic<Int>(0)
    private let halfMessages = Atomic<Int>(0)

    /// More than this on the way to Redis only waits there, however large the budget is.
    private static let mostPublishBytes = 64 << 20

    package init(budget: Int) {
        self.budget = budget
    }

    /// What may be on the way to Redis without an answer: a quarter of the budget, 64 MiB at most.
    package var maxPublishBytes: Int { min(budget / 4, MemoryAccount.mostPublishBytes) }

    package func add(_ bytes: Int, to kind: Kind) {
        counter(of: kind) { _ = $0.wrappingAdd(bytes, ordering: .relaxed) }
    }

    package func held(_ kind: Kind) -> Int {
        counter(of: kind) { $0.load(ordering: .relaxed) }
    }

    /// All kinds together.
    package var held: Int { Kind.allCases.reduce(0) { $0 + held($1) } }

    package var isOverdrawn: Bool { held > budget }

    /// Counts a message on its way to Redis; false, and counted nowhere, where too much is on its way already.
    package func admitPublish(_ bytes: Int) -> Bool {
        let sum = publishes.wrappingAdd(bytes, ordering: .relaxed).newValue
        guard sum > maxPublishBytes else { return true }
        publishes.wrappingSubtract(bytes, ordering: .relaxed)
        return false
    }

    private func counter<Value>(of kind: Kind, _ body: (borrowing Atomic<Int>) -> Value) -> Value {
        switch kind {
        case .sockets: body(sockets)
        case .catchUps: body(catchUps)
        case .publishes: body(publishes)
        case .mail: body(mail)
        case .halfMessages: body(halfMessages)
        }
    }
}
