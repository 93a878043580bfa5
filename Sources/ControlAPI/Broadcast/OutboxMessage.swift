import Dialects
import GatewayCore

/// A broadcast as a backend puts it into the archive's outbox: its fields are those of `POST /v1/broadcast`.
package enum OutboxMessage {
    /// One for each room and inbox that it goes to.
    ///
    /// - Parameters:
    ///   - target: as `to`.
    ///   - payload: JSON text.
    ///   - mark: under which each is stored once.
    package static func publications(
        target: String, payload: [UInt8], event: String?, msgType: Int, userId: String, mark: DedupeMark
    ) throws(RequestError) -> [Publication] {
        guard payload.count <= maxBytes else {
            throw RequestError(.tooLarge, "payload: more than \(maxBytes) bytes")
        }
        // A database may hold any bytes, and members take no text frame that is not UTF-8.
        guard String(validating: payload, as: UTF8.self) != nil else {
            throw RequestError(.badRequest, "payload: not UTF-8")
        }
        var body = Array(#"{"to":"#.utf8)
        body += target.utf8
        JSONWriter.append(#","payload":"#, to: &body)
        body += payload
        if let event {
            JSONWriter.append(#","event":"#, to: &body)
            JSONWriter.append(string: event, to: &body)
        }
        JSONWriter.append(#","msgType":"#, to: &body)
        JSONWriter.append(integer: msgType, to: &body)
        JSONWriter.append(#","userId":"#, to: &body)
        JSONWriter.append(string: userId, to: &body)
        JSONWriter.append("}", to: &body)
        let request: Result<BroadcastRequest, RequestError> = body.withUnsafeBytes { bytes in
            do throws(RequestError) {
                return .success(try BroadcastRequest(try ObjectFields.value(of: bytes)))
            } catch {
                return .failure(error)
            }
        }
        let message = try request.get()
        var publications: [Publication] = []
        message.target.forEachRoom { room in
            publications.append(message.publication(to: room, mark: mark, cause: nil))
        }
        return publications
    }

    /// What the API takes as a body by default.
    private static let maxBytes = 1 << 20
}
