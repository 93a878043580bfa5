import Dialects
import GatewayCore

/// The outcome of one broadcast.
enum BroadcastOutcome: Sendable {
    /// At least one target has it.
    case sent(Sent)
    /// Nobody has it.
    case failed(RequestError)

    struct Sent: Sendable {
        /// 128 random bits in hexadecimal; the first request's where an idempotency key was used before.
        let id: String
        /// Milliseconds since 1970 by Redis's clock, of what was stored first.
        let timestamp: Int64
        let target: BroadcastRequest.Target
        /// One for each of the target's rooms or users, in their order.
        let answers: ArraySlice<Result<Published, BackendError>>
    }

    /// Sums up what the rooms of one broadcast answered.
    init(id: String, target: BroadcastRequest.Target, answers: ArraySlice<Result<Published, BackendError>>) {
        var earliest: Int64?
        var failure = BackendError.conflict
        for answer in answers {
            switch answer {
            case .success(let published): earliest = min(earliest ?? .max, published.timestamp)
            case .failure(.conflict): break
            case .failure(.unconfirmed): failure = .unconfirmed
            case .failure(let error):
                if failure != .unconfirmed { failure = error }
            }
        }
        guard let earliest else {
            self = .failed(failure.request)
            return
        }
        self = .sent(Sent(id: id, timestamp: earliest, target: target, answers: answers))
    }
}

extension JSONWriter {
    /// The answer to one broadcast, as the contract's REST hook has it.
    static func append(outcome: BroadcastOutcome, to bytes: inout [UInt8]) {
        switch outcome {
        case .failed(let error):
            append(#"{"error":"#, to: &bytes)
            append(error: error, to: &bytes)
            append("}", to: &bytes)
        case .sent(let sent):
            append(#"{"id":"#, to: &bytes)
            append(string: sent.id, to: &bytes)
            append(#","timestamp":"#, to: &bytes)
            append(integer: sent.timestamp, to: &bytes)
            appendTargets(of: sent, to: &bytes)
            append("]}", to: &bytes)
        }
    }

    private static func appendTargets(of sent: BroadcastOutcome.Sent, to bytes: inout [UInt8]) {
        switch sent.target {
        case .everyone: append(CollectionOfOne(.everyone), sent.answers, to: &bytes)
        case .rooms(let rooms): append(rooms, sent.answers, to: &bytes)
        case .users(let users):
            append(#","users":["#, to: &bytes)
            append(zip(users, sent.answers), to: &bytes) { entry, bytes in
                append(#"{"userId":"#, to: &bytes)
                append(string: entry.0.string, to: &bytes)
                append(answer: entry.1, to: &bytes)
            }
        }
    }

    private static func append(
        _ rooms: some Collection<RoomName>, _ answers: ArraySlice<Result<Published, BackendError>>,
        to bytes: inout [UInt8]
    ) {
        append(#","rooms":["#, to: &bytes)
        append(zip(rooms, answers), to: &bytes) { entry, bytes in
            append(#"{"roomId":"#, to: &bytes)
            append(string: entry.0.string, to: &bytes)
            append(answer: entry.1, to: &bytes)
        }
    }

    /// Where a target has it and, for a user, who was reached, or why it has not; up to the closing brace.
    private static func append(answer: Result<Published, BackendError>, to bytes: inout [UInt8]) {
        switch answer {
        case .success(let published):
            if let reach = published.reach {
                append(reach.isOnline ? #","online":true"# : #","online":false"#, to: &bytes)
                append(#","connections":"#, to: &bytes)
                append(integer: reach.connections, to: &bytes)
            }
            guard published.position != .unstored else { break }
            append(#","epoch":"#, to: &bytes)
            append(string: published.position.epoch, to: &bytes)
            append(#","seq":"#, to: &bytes)
            append(integer: published.position.seq, to: &bytes)
        case .failure(let error):
            append(#","error":"#, to: &bytes)
            append(error: error.request, to: &bytes)
        }
        append("}", to: &bytes)
    }
}
