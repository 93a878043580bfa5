import GatewayCore
import NIOCore

/// Closes a connection of which only the name is known: every node is asked over its channel whether it is there, and the
/// one that has it closes it and says so.
///
/// Nothing is kept of connections by their names alone, since that would be one write more for each that comes or goes.
///
/// `@unchecked Sendable`: all mutable state is touched on the store's loop only.
final class ConnectionSearch: ConnectionCloser, @unchecked Sendable {
    private let store: Store
    private let nodeId: String
    private let directory: any NodeDirectory
    private var poll = NodePoll<Bool>()
    private var holds: (String) -> Bool = { _ in false }
    private var close: (StreamDelivery) -> Void = { _ in }

    private var loop: any EventLoop { store.link.eventLoop }

    init(store: Store, nodeId: String, directory: any NodeDirectory) {
        self.store = store
        self.nodeId = nodeId
        self.directory = directory
    }

    /// Before the first message: how this node sees whether it has a connection, and closes it; both are called on the loop.
    func prepare(holds: @escaping (String) -> Bool, close: @escaping (StreamDelivery) -> Void) {
        self.holds = holds
        self.close = close
    }

    func close(_ connection: String, _ reason: CloseReason, text: String) async throws(BackendError) -> Bool {
        let nodes = try await directory.nodes().map(\.nodeId)
        let result = await withCheckedContinuation { continuation in
            loop.execute { [self] in
                ask(nodes, connection, reason, text) { continuation.resume(returning: $0) }
            }
        }
        return try result.get()
    }

    // MARK: Asking

    private func ask(
        _ nodes: [String], _ connection: String, _ reason: CloseReason, _ text: String,
        reply: @escaping @Sendable (Result<Bool, BackendError>) -> Void
    ) {
        loop.assertInEventLoop()
        let number = poll.ask(nodes, beginningWith: false, on: loop, timedOut: timedOut, reply: reply)
        let message = NodeMessage.seek(
            number: number, asker: nodeId, connection: connection, reason: reason, text: text)
        store.call(Notify(nodes, message, in: Partition(of: connection))) { [self] result in
            if case .failure(let error) = result { poll.failed(number, BackendError(error)) }
        }
    }

    private func timedOut(_ number: Int) {
        poll.failed(number, .unavailable(reason: "a node does not say whether it has the connection"))
    }

    // MARK: What comes over the node's channels

    func received(_ seek: NodeMessage.Seek) {
        loop.assertInEventLoop()
        let isHere = holds(seek.connection)
        if isHere { close(.close(connection: seek.connection, reason: seek.reason, text: seek.text)) }
        let answer = NodeMessage.found(isHere, number: seek.number, node: nodeId)
        // One that is lost is missed by whoever waits for it.
        store.call(Notify([seek.asker], answer, in: Partition(of: seek.connection))) { _ in }
    }

    func received(_ found: NodeMessage.Found) {
        loop.assertInEventLoop()
        poll.answered(found.number, by: found.node) { isThere in
            isThere = found.isHere
            return found.isHere
        }
    }
}
