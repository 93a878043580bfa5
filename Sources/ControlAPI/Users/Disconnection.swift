import Dialects
import GatewayCore
import Hummingbird

/// `POST /v1/users/{userId}/disconnect`: closes all connections of a user, on whatever nodes they are.
struct Disconnection: Sendable {
    let user: UserID
    let reason: CloseReason
    /// What stands beside the code in the close frame.
    let text: String

    /// Those that end a session at once and keep a client library from coming back by itself; all others tell a client of
    /// something that has not happened.
    static let codes: [CloseReason] = [.unauthorized, .forbidden, .replaced]

    /// What a close frame holds beside its code (RFC 6455, section 5.5).
    static let maxReasonBytes = 123

    /// - Parameter body: `{"code":4403,"reason":"…"}`; both may be left out, and so may the body.
    /// - Throws: `bad_request` naming the field.
    init(user: String, body: [UInt8]) throws {
        self.user = try UserID(path: user)
        guard !body.isEmpty else {
            reason = .forbidden
            text = CloseReason.forbidden.text
            return
        }
        (reason, text) = try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(
                of: ObjectFields.value(of: bytes), named: ["code", "reason"], path: "the body")
            let reason = try Disconnection.reason(fields["code"])
            return (reason, try Disconnection.text(fields.string("reason")) ?? reason.text)
        }
    }

    func answer(from directory: any PresenceDirectory) async throws -> Response {
        let count = try await directory.disconnect(user, code: reason.code, reason: text)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"disconnected":"#, to: &answer)
        JSONWriter.append(integer: count, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }

    private static func reason(_ value: JSONValue?) throws(RequestError) -> CloseReason {
        guard let value else { return .forbidden }
        guard let reason = codes.first(where: { Int($0.code) == value.integer }) else {
            let known = codes.map { "\($0.code)" }.joined(separator: ", ")
            throw RequestError(.badRequest, "code: must be one of \(known)")
        }
        return reason
    }

    private static func text(_ text: String?) throws(RequestError) -> String? {
        guard let text else { return nil }
        guard text.utf8.count <= maxReasonBytes,
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else {
            throw RequestError(
                .badRequest, "reason: must be at most \(maxReasonBytes) bytes without control characters")
        }
        return text
    }
}
