import GatewayCore

/// The memory that the connections of one loop hold, told to the node's account once a turn, and what is done where the
/// node holds too much. Belongs to its hub's event loop.
final class HubHoldings {
    private struct Held: Equatable {
        var sockets = 0
        var catchUps = 0
        var halfMessages = 0
    }

    private var held = Held()
    private var reported = Held()
    private var nodeMemory = NodeMemory()
    private var closed = Recurrence(interval: .seconds(10))

    func recordSockets(by change: Int) { held.sockets += change }

    func recordCatchUps(by change: Int) { held.catchUps += change }

    func recordHalfMessages(by change: Int) { held.halfMessages += change }

    func report(to memory: MemoryAccount) {
        guard reported != held else { return }
        memory.add(held.sockets - reported.sockets, to: .sockets)
        memory.add(held.catchUps - reported.catchUps, to: .catchUps)
        memory.add(held.halfMessages - reported.halfMessages, to: .halfMessages)
        reported = held
    }

    /// So many were closed for the budget; answers how many since the last line of the log, where there is to be one now.
    func tellsOfClosed(_ count: Int, now: MonotonicTime) -> Int? { closed.happened(count, at: now) }

    func relieve(
        held: Int, budget: Int, closing: Int, claims: [NodeMemory.Claim], now: MonotonicTime
    ) -> NodeMemory.Relief {
        nodeMemory.relieve(held: held, budget: budget, closing: closing, claims: claims, now: now)
    }
}
