import Dialects
import GatewayCore

/// What became of one broadcast.
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
        let rooms: [(room: RoomName, result: Result<Position, RequestError>)]
    }

    /// Sums up what the targets of one broadcast answered.
    init(id: String, rooms: [RoomName], answers: [Result<Published, BackendError>]) {
        var earliest: Int64?
        var failure = BackendError.conflict
        for answer in answers {
            switch answer {
            case .success(let published): earliest = min(earliest ?? .max, published.timestamp)
            case .failure(.conflict): break
            case .failure(.unavailable(let reason)): failure = .unavailable(reason: reason)
            }
        }
        guard let earliest else {
            self = .failed(failure.request)
            return
        }
        let results = answers.map { answer in answer.map(\.position).mapError(\.request) }
        self = .sent(Sent(id: id, timestamp: earliest, rooms: Array(zip(rooms, results))))
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
            append(#","rooms":["#, to: &bytes)
            for (index, target) in sent.rooms.enumerated() {
                if index > 0 { append(",", to: &bytes) }
                append(target: target.room, result: target.result, to: &bytes)
            }
            append("]}", to: &bytes)
        }
    }

    private static func append(target room: RoomName, result: Result<Position, RequestError>, to bytes: inout [UInt8]) {
        append(#"{"roomId":"#, to: &bytes)
        append(string: room.string, to: &bytes)
        switch result {
        case .success(let position):
            append(#","epoch":"#, to: &bytes)
            append(string: position.epoch, to: &bytes)
            append(#","seq":"#, to: &bytes)
            append(integer: position.seq, to: &bytes)
        case .failure(let error):
            append(#","error":"#, to: &bytes)
            append(error: error, to: &bytes)
        }
        append("}", to: &bytes)
    }
}
