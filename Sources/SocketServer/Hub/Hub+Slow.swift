import GatewayCore
import NIOCore

/// Clients that read more slowly than their rooms speak: they are no members for a while but listeners that have been
/// sent all up to a position, and catch up from ring and log at the pace at which their socket drains.
extension Hub {
    /// Has everything that comes in a connection's rooms wait in the log rather than in its socket.
    ///
    /// A room that it asks for anew just now stays as it is: its listener is on its way already.
    func feedFromLog(_ connection: SocketHandler) {
        guard connection.isOpen else { return }
        guard connection.dialect == nil else { return connection.closeIfOverfull() }
        var listeners: [Listener] = []
        for room in connection.machine.streams {
            guard let hubRoom = rooms[room], hubRoom.hasMember(connection.number),
                hubRoom.pending[connection.number] == nil, let position = hubRoom.sentPosition
            else { continue }
            let told = hubRoom.bundle?.version(toldTo: connection.number) ?? hubRoom.roster?.version
            let listener = Listener(
                connection: connection, room: hubRoom, backlog: Backlog(of: position, rosterVersion: told))
            hubRoom.remove(connection.number)
            // Nothing of it is on its way into this room.
            _ = hubRoom.await(listener)
            listeners.append(listener)
        }
        if !listeners.isEmpty || connection.slow?.queue.isFedFromLog != true { connection.feedsFromLog() }
        guard !listeners.isEmpty else { return }
        metrics.count(.fedFromLog)
        if connection.beginCatchUp().addSlow(listeners) { writePart(ByteBuffer(), to: connection) }
    }

    /// What waits in the node for all connections is within the budget, or the worst give way.
    func watchMemory(now: MonotonicTime) {
        holdings.report(to: memory)
        var claims: [NodeMemory.Claim] = []
        var connections: [SocketHandler] = []
        var closing = 0
        let held = memory.held
        if held > memory.budget {
            for connection in heartbeat.connections where connection.heldBytes > 0 {
                let bytes = connection.heldBytes
                guard connection.isOpen else {
                    closing += bytes
                    continue
                }
                connections.append(connection)
                claims.append(NodeMemory.Claim(bytes: bytes, isLive: connection.isLive))
            }
        }
        let relief = holdings.relieve(
            held: held, budget: memory.budget, closing: closing, claims: claims, now: now)
        for index in relief.feed { feedFromLog(connections[index]) }
        for index in relief.close { connections[index].closeSlow(.overBudget) }
        guard !relief.close.isEmpty, let closed = holdings.tellsOfClosed(relief.close.count, now: now) else { return }
        logger.warning(
            "memory over its budget, connections closed",
            metadata: ["closed": "\(closed)", "heldBytes": "\(held)", "budget": "\(memory.budget)"])
    }
}

extension SocketHandler {
    /// Whether something is sent to it as it comes.
    ///
    /// What another dialect's client has not read cannot be had from the log: such a one is closed where there is too much.
    fileprivate var isLive: Bool { dialect == nil && (slow.map { !$0.queue.isFedFromLog } ?? false) }
}
