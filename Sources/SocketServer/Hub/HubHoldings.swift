import GatewayCore

/// What the connections of one loop hold, told to the node's account once a turn.
struct HubHoldings {
    var sockets = 0
    var catchUps = 0
    var halfMessages = 0
    private var settled = (sockets: 0, catchUps: 0, halfMessages: 0)

    mutating func settle(into memory: MemoryAccount) {
        guard settled != (sockets, catchUps, halfMessages) else { return }
        memory.add(sockets - settled.sockets, to: .sockets)
        memory.add(catchUps - settled.catchUps, to: .catchUps)
        memory.add(halfMessages - settled.halfMessages, to: .halfMessages)
        settled = (sockets, catchUps, halfMessages)
    }
}
