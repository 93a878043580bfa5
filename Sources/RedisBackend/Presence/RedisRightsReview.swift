import GatewayCore
import NIOCore

/// Tells every node over its channel that the backend is to be asked again about a user, and counts the connections that are.
///
/// All nodes are told, not those alone that hold some: a client may be about to come in, by an answer from before.
///
/// `@unchecked Sendable`: all mutable state is touched on the store's loop only, but for `forget`, which is set before the
/// first message.
final class RedisRightsReview: RightsReview, @unchecked Sendable {
    private let store: Store
    private let nodeId: String
    private let directory: any NodeDirectory
    private var poll = NodePoll<Int>()
    private var count: (UserID) -> Int = { _ in 0 }
    private var tell: (StreamDelivery) -> Void = { _ in }
    private var forget: @Sendable (UserID) -> Void = { _ in }

    private var loop: any EventLoop { store.link.eventLoop }

    init(store: Store, nodeId: String, directory: any NodeDirectory) {
        self.store = store
        self.nodeId = nodeId
        self.directory = directory
    }

    /// Before the first message: how many connections a user has here, and how the hubs are told; both are called on the loop.
    func prepare(count: @escaping (UserID) -> Int, tell: @escaping (StreamDelivery) -> Void) {
        self.count = count
        self.tell = tell
    }

    /// Before the first message: what forgets what was said of a user.
    func use(_ forget: @escaping @Sendable (UserID) -> Void) { self.forget = forget }

    func review(_ user: UserID) async throws(BackendError) -> Int {
        let nodes = try await directory.nodes().map(\.nodeId)
        let result = await withCheckedContinuation { continuation in
            loop.execute { [self] in ask(nodes, user) { continuation.resume(returning: $0) } }
        }
        return try result.get()
    }

    private func ask(
        _ nodes: [String], _ user: UserID, reply: @escaping @Sendable (Result<Int, BackendError>) -> Void
    ) {
        loop.assertInEventLoop()
        let number = poll.ask(nodes, beginningWith: 0, on: loop, timedOut: timedOut, reply: reply)
        let message = NodeMessage.askAgain(user, number: number, asker: nodeId)
        store.call(Notify(nodes, message, in: Partition(of: user.string))) { [self] result in
            if case .failure(let error) = result { poll.failed(number, BackendError(error)) }
        }
    }

    private func timedOut(_ number: Int) {
        poll.failed(number, .unavailable(reason: "a node does not say whether it has connections of the user"))
    }

    // MARK: What comes over the node's channels

    /// What was said before is forgotten first, so that nobody who is asked about now is told it.
    func received(_ user: UserID, number: Int, asker: String) {
        loop.assertInEventLoop()
        forget(user)
        let connections = count(user)
        tell(.reviewed(user))
        let answer = NodeMessage.askedAgain(count: connections, number: number, node: nodeId)
        // One that is lost is missed by whoever waits for it.
        store.call(Notify([asker], answer, in: Partition(of: user.string))) { _ in }
    }

    func received(count connections: Int, number: Int, node: String) {
        loop.assertInEventLoop()
        poll.answered(number, by: node) { sum in
            sum += connections
            return false
        }
    }
}
