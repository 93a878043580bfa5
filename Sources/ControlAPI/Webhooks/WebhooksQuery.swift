import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/webhooks`: how the receivers of events fare.
struct WebhooksQuery: Sendable {
    func answer(from directory: (any WebhookDirectory)?) async throws -> Response {
        let statuses = try await directory?.webhooks() ?? []
        var answer: [UInt8] = []
        JSONWriter.append(#"{"webhooks":["#, to: &answer)
        for (index, status) in statuses.enumerated() {
            if index > 0 { JSONWriter.append(",", to: &answer) }
            JSONWriter.append(webhook: status, to: &answer)
        }
        JSONWriter.append(#"],"total":"#, to: &answer)
        JSONWriter.append(integer: statuses.count, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

extension JSONWriter {
    static func append(webhook status: WebhookStatus, to bytes: inout [UInt8]) {
        append(#"{"url":"#, to: &bytes)
        append(string: status.receiver.shownURL, to: &bytes)
        if let types = status.receiver.types {
            append(#","types":["#, to: &bytes)
            for (index, type) in types.sorted().enumerated() {
                if index > 0 { append(",", to: &bytes) }
                append(string: type, to: &bytes)
            }
            append("]", to: &bytes)
        }
        append(#","lag":"#, to: &bytes)
        append(integer: status.lag, to: &bytes)
        append(#","oldest":"#, status.oldest, to: &bytes)
        append(#","deadLetters":"#, to: &bytes)
        append(integer: status.deadLetters, to: &bytes)
        append(#","givenUp":"#, to: &bytes)
        append(integer: status.givenUp, to: &bytes)
        append(#","lost":"#, to: &bytes)
        append(integer: status.lost, to: &bytes)
        append(#","replaying":"#, to: &bytes)
        append(status.replaying > 0 ? "true" : "false", to: &bytes)
        append(#","lastSent":"#, status.lastSent, to: &bytes)
        if let error = status.lastError {
            append(#","lastError":{"message":"#, to: &bytes)
            append(string: error.message, to: &bytes)
            append(#","timestamp":"#, error.timestamp, to: &bytes)
            append("}", to: &bytes)
        }
        append("}", to: &bytes)
    }

    private static func append(_ name: StaticString, _ value: Int64?, to bytes: inout [UInt8]) {
        guard let value else { return }
        append(name, to: &bytes)
        append(integer: value, to: &bytes)
    }
}
