import Foundation
import Synchronization
import TestKit
import TestSupport

/// A client of an app that comes back wherever it can, as Pusher's libraries do, and subscribes again to what it wants.
final class PusherMember: Sendable {
    let user: String
    /// The presence channel that it shows itself in.
    let channel: String
    private let others: [String]
    private let nodes: [NodeProcess]
    private let lives = Mutex<[PusherClient]>([])
    private let codes = Mutex<[UInt16?]>([])
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// In all its channels, on the node of this number.
    static func begin(
        _ user: String, in channel: String, and others: [String] = [], on nodes: [NodeProcess], first: Int
    ) async throws -> PusherMember {
        let member = PusherMember(user, channel, others, nodes)
        member.task.withLock { $0 = Task { await member.live(from: first) } }
        try await eventually("\(user) in \(channel)") { member.isIn }
        return member
    }

    private init(_ user: String, _ channel: String, _ others: [String], _ nodes: [NodeProcess]) {
        (self.user, self.channel, self.others, self.nodes) = (user, channel, others, nodes)
    }

    private func live(from first: Int) async {
        var place = first
        while !Task.isCancelled {
            // Refused or cut: it tries the next one.
            if let client = try? await PusherClient.connect(to: nodes[place % nodes.count]) {
                client.ask(channel, as: user)
                for other in others { client.ask(other) }
                lives.withLock { $0.append(client) }
                let code = await client.closed()
                codes.withLock { $0.append(code) }
            } else {
                // What libraries wait for between two attempts.
                try? await ContinuousClock().sleep(for: .milliseconds(200))
            }
            place += 1
        }
    }

    func end() {
        task.withLock { $0?.cancel() }
        lives.withLock { $0.last }?.abort()
    }

    // MARK: What it has seen

    /// Each connection's, in their order.
    var clients: [PusherClient] { lives.withLock { $0 } }
    /// The codes with which they were closed; nil where there was none.
    var closings: [UInt16?] { codes.withLock { $0 } }
    /// Whether its present connection is in all of its channels.
    var isIn: Bool {
        guard let client = clients.last, client.isOpen else { return false }
        return ([channel] + others).allSatisfy {
            !client.frames("pusher_internal:subscription_succeeded", on: $0).isEmpty
        }
    }
    /// Who is in the presence channel, by what its present connection was told.
    var roster: Set<String> { clients.last?.members(of: channel) ?? [] }

    /// Who was told to have left, by all of its connections.
    var removed: [String] { clients.flatMap { $0.users("pusher_internal:member_removed", on: channel) } }

    func abort() { clients.last?.abort() }
}

extension PusherClient {
    /// The users that events of a presence channel are about, in the order they came.
    func users(_ event: String, on channel: String) -> [String] {
        frames(event, on: channel).compactMap { $0.data["user_id"] as? String }
    }
}
