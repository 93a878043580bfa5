import Dialects
import GatewayCore
import Hummingbird

/// `POST /v1/connections/{connectionId}/disconnect`: closes one connection, on whatever node it is.
struct ConnectionClosing: Sendable {
    let connection: String
    let reason: CloseReason
    let text: String

    /// - Parameter body: `{"code":4403,"reason":"…"}`; both may be left out, and so may the body.
    /// - Throws: `bad_request` naming the field.
    init(connection: String, body: [UInt8]) throws {
        self.connection = connection
        guard !body.isEmpty else {
            (reason, text) = (.forbidden, CloseReason.forbidden.text)
            return
        }
        (reason, text) = try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(
                of: ObjectFields.value(of: bytes), named: ["code", "reason"], path: "the body")
            let reason = try Disconnection.reason(fields["code"])
            return (reason, try fields.reason(upTo: Disconnection.maxReasonBytes) ?? reason.text)
        }
    }

    func answer(from closer: any ConnectionCloser) async throws -> Response {
        // Nothing longer, or with a blank, is the name of a connection.
        let isName = connection.utf8.count <= 64 && connection.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isName, try await closer.close(connection, reason, text: text) else {
            throw Refusal.notFound("there is no such connection")
        }
        return .json(Array(#"{"disconnected":1}"#.utf8))
    }
}
