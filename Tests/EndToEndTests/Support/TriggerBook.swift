import Synchronization
import TestSupport

/// Events that a backend triggers one after the other, each until it is stored.
final class TriggerBook: Sendable {
    private let stored = Mutex<[Int]>([])

    /// In the order in which they are in the channel.
    var numbers: [Int] { stored.withLock { $0 } }

    /// - Parameter send: takes the call's body, and answers whether it was 200.
    func trigger(
        _ channel: String, times: Int, every pause: Duration, _ send: @Sendable (String) async throws -> Bool
    ) async throws {
        let start = ContinuousClock.now
        let first = numbers.count
        for number in first..<first + times {
            // The pace is the load, and part of what is tried.
            try await ContinuousClock().sleep(until: start + pause * (number - first))
            let body = #"{"name":"tick","data":"\#(number)","channel":"\#(channel)","idempotency_key":"t\#(number)"}"#
            try await eventually("event \(number)") { try await send(body) }
            stored.withLock { $0.append(number) }
        }
    }
}
