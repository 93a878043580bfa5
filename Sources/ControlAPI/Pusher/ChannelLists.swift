import Dialects
import GatewayCore
import Hummingbird
import Synchronization

/// Sees that a node lists the channels of each app once at a time: Redis goes through the rooms of all apps for it. Any thread.
final class ChannelLists: Sendable {
    /// The ids of apps whose channels are being listed.
    private let underWay = Mutex<Set<String>>([])

    /// - Throws: 429 while another call of the app is about it; what the call itself throws.
    func alone<Answer: Sendable>(
        for app: PusherApp, _ list: @Sendable () async throws -> Answer
    ) async throws -> Answer {
        guard underWay.withLock({ $0.insert(app.id).inserted }) else {
            throw Refusal(
                .tooManyRequests,
                RequestError(.rateLimited, "the channels of the app \(app.id) are being listed for another call"),
                headers: [.retryAfter: "1"])
        }
        defer { underWay.withLock { _ = $0.remove(app.id) } }
        return try await list()
    }
}
