import Dialects
import GatewayCore
import Hummingbird

/// `POST /v1/users/{userId}/disconnect`: closes all connections of a user, on whatever nodes they are, and where it is
/// said, keeps the user out.
struct Disconnection: Sendable {
    let user: UserID
    let expulsion: Expulsion

    /// Those that end a session at once and keep a client library from coming back by itself; all others tell a client of
    /// something that has not happened.
    static let codes: [CloseReason] = [.unauthorized, .forbidden, .replaced]

    /// What a close frame holds beside its code (RFC 6455, section 5.5).
    static let maxReasonBytes = 123

    /// A year.
    static let maxBanSeconds = 31_536_000

    /// The end of the year 9999, in milliseconds since 1970.
    static let latestMoment = 253_402_300_799_999

    /// - Parameter body: `{"code":4403,"reason":"…","banSeconds":60,"tokensBefore":1700000000000}`; all may be left out,
    ///   and so may the body.
    /// - Throws: `bad_request` naming the field.
    init(user: String, body: [UInt8]) throws {
        self.user = try UserID(path: user)
        guard !body.isEmpty else {
            expulsion = Expulsion(text: CloseReason.forbidden.text)
            return
        }
        expulsion = try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(
                of: ObjectFields.value(of: bytes), named: ["code", "reason", "banSeconds", "tokensBefore"],
                path: "the body")
            let reason = try Disconnection.reason(fields["code"])
            let ban = try Disconnection.whole(fields["banSeconds"], "banSeconds", upTo: Disconnection.maxBanSeconds)
            let before = try Disconnection.whole(
                fields["tokensBefore"], "tokensBefore", upTo: Disconnection.latestMoment)
            return Expulsion(
                reason: reason, text: try fields.reason(upTo: Disconnection.maxReasonBytes) ?? reason.text,
                ban: ban.map { .seconds($0) }, tokensBefore: before.map { Int64($0) })
        }
    }

    func answer(from directory: any PresenceDirectory) async throws -> Response {
        let expelled = try await directory.disconnect(user, expulsion)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"disconnected":"#, to: &answer)
        JSONWriter.append(integer: expelled.connections, to: &answer)
        JSONWriter.append(bannedUntil: expelled.bannedUntil, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }

    private static func whole(
        _ value: JSONValue?, _ name: String, upTo limit: Int
    ) throws(RequestError) -> Int? {
        guard let value else { return nil }
        guard let number = value.integer, (0...limit).contains(number) else {
            throw RequestError(.badRequest, "\(name): must be a whole number from 0 to \(limit)")
        }
        return number
    }

    static func reason(_ value: JSONValue?) throws(RequestError) -> CloseReason {
        guard let value else { return .forbidden }
        guard let reason = codes.first(where: { Int($0.code) == value.integer }) else {
            let known = codes.map { "\($0.code)" }.joined(separator: ", ")
            throw RequestError(.badRequest, "code: must be one of \(known)")
        }
        return reason
    }
}

/// `DELETE /v1/users/{userId}/ban`: lets a user in again, with tokens of whatever age.
struct Pardon: Sendable {
    let user: UserID

    init(user: String) throws(RequestError) {
        self.user = try UserID(path: user)
    }

    func answer(from directory: any PresenceDirectory) async throws -> Response {
        let isLifted = try await directory.pardon(user)
        return .json(Array((isLifted ? #"{"lifted":true}"# : #"{"lifted":false}"#).utf8))
    }
}

extension JSONWriter {
    /// Nothing where nobody is banned.
    static func append(bannedUntil: Int64?, to bytes: inout [UInt8]) {
        guard let bannedUntil else { return }
        append(#","bannedUntil":"#, to: &bytes)
        append(integer: bannedUntil, to: &bytes)
    }
}
