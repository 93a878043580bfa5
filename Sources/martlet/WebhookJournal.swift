import Foundation
import Synchronization
import Webhooks

/// Takes in requests of webhooks, decides how each is answered, and prints what it holds.
final class WebhookJournal: Sendable {
    private struct State {
        var failures: Int
        /// The ids of the last events, to know those that come again.
        var seen: Set<String> = []
        var order: [String] = []
    }

    /// How many ids are remembered.
    private static let memory = 20_000

    private let secret: String?
    private let now: @Sendable () -> Date
    private let print: @Sendable (String) -> Void
    private let state: Mutex<State>

    /// - Parameters:
    ///   - secret: what requests must be signed with; nil takes any.
    ///   - failures: how many requests are answered with 500 first.
    init(
        secret: String?, failures: Int, now: @escaping @Sendable () -> Date,
        print: @escaping @Sendable (String) -> Void
    ) {
        self.secret = secret
        self.now = now
        self.print = print
        state = Mutex(State(failures: failures))
    }

    func say(_ line: String) {
        print(line)
    }

    /// The status to answer with.
    func receive(_ body: [UInt8], signature text: String?) -> UInt {
        if let secret {
            guard let signature = text.flatMap({ WebhookSignature($0) }), signature.isValid(for: body, secret: secret)
            else {
                print("\(time) a request with \(text == nil ? "no" : "a wrong") signature: 401")
                return 401
            }
        }
        guard let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any],  // Nil says it.
            let events = object["events"] as? [[String: Any]]
        else {
            print("\(time) a request without events: 400")
            return 400
        }
        let mustFail = state.withLock { state in
            guard state.failures > 0 else { return false }
            state.failures -= 1
            return true
        }
        if mustFail {
            print("\(time) \(events.count) events, answered with 500")
            return 500
        }
        for event in events { print(line(of: event)) }
        return 200
    }

    private var time: String {
        now().formatted(.iso8601.time(includingFractionalSeconds: true))
    }

    private func line(of event: [String: Any]) -> String {
        let id = event["id"] as? String ?? "?"
        let isAgain = state.withLock { state in
            guard state.seen.insert(id).inserted else { return true }
            state.order.append(id)
            if state.order.count > 2 * WebhookJournal.memory {
                for old in state.order.prefix(WebhookJournal.memory) { state.seen.remove(old) }
                state.order.removeFirst(WebhookJournal.memory)
            }
            return false
        }
        var words = [time, event["type"] as? String ?? "?"]
        for name in ["userId", "roomId", "cause", "seq", "count"] {
            if let value = event[name] { words.append("\(name)=\(value)") }
        }
        words.append("id=\(id)")
        if isAgain { words.append("again") }
        return words.joined(separator: " ")
    }
}
