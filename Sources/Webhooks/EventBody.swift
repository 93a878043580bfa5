import Dialects
import GatewayCore

/// Events as a backend receives them: `{"events":[…]}`.
package enum EventBody {
    package static func encode(_ events: [LedgerEvent]) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(64 + events.count * 160)
        JSONWriter.append(#"{"events":["#, to: &body)
        for (index, event) in events.enumerated() {
            if index > 0 { JSONWriter.append(",", to: &body) }
            append(event, to: &body)
        }
        JSONWriter.append("]}", to: &body)
        return body
    }

    private static func append(_ event: LedgerEvent, to body: inout [UInt8]) {
        JSONWriter.append(#"{"id":"#, to: &body)
        JSONWriter.append(string: event.id, to: &body)
        JSONWriter.append(#","type":"#, to: &body)
        JSONWriter.append(string: event.type, to: &body)
        append(#","userId":"#, event.userId, to: &body)
        append(#","roomId":"#, event.roomId, to: &body)
        append(#","cause":"#, event.cause, to: &body)
        if let message = event.message {
            append(#","epoch":"#, message.position.epoch, to: &body)
            JSONWriter.append(#","seq":"#, to: &body)
            JSONWriter.append(integer: message.position.seq, to: &body)
            JSONWriter.append(#","msgType":"#, to: &body)
            JSONWriter.append(integer: message.msgType, to: &body)
            if let event = message.event {
                JSONWriter.append(#","event":"#, to: &body)
                JSONWriter.append(string: event.string, to: &body)
            }
            JSONWriter.append(#","payload":"#, to: &body)
            body += message.payload
            if message.isRedacted { JSONWriter.append(#","redacted":true"#, to: &body) }
        }
        if let details = event.details, details.count > 2 {
            JSONWriter.append(",", to: &body)
            body += details.dropFirst().dropLast()
        }
        if let count = event.count {
            JSONWriter.append(#","count":"#, to: &body)
            JSONWriter.append(integer: count, to: &body)
        }
        append(#","traceparent":"#, event.trace?.text, to: &body)
        JSONWriter.append(#","timestamp":"#, to: &body)
        JSONWriter.append(integer: event.timestamp, to: &body)
        JSONWriter.append("}", to: &body)
    }

    private static func append(_ name: StaticString, _ value: String?, to body: inout [UInt8]) {
        guard let value else { return }
        JSONWriter.append(name, to: &body)
        JSONWriter.append(string: value, to: &body)
    }
}
