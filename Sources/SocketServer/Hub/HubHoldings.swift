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
    private var settled = Held()
    private var nodeMemory = NodeMemory()

    func noteSockets(by change: Int) { held.sockets += change }

    func noteCatchUps(by change: Int) { held.catchUps += change }

    func noteHalfMessages(by change: Int) { held.halfMessages += change }

    func settle(into memory: MemoryAccount) {
        guard settled != held else { return }
        memory.add(held.sockets - settled.sockets, to: .sockets)
        memory.add(held.catchUps - settled.catchUps, to: .catchUps)
        memory.add(held.halfMessages - settled.halfMessages, to: .halfMessages)
        settled = held
    }

    func relieve(
        held: Int, budget: Int, closing: Int, claims: [NodeMemory.Claim], now: MonotonicTime
    ) -> NodeMemory.Relief {
        nodeMemory.relieve(held: held, budget: budget, closing: closing, claims: claims, now: now)
    }
}
