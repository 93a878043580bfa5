import Dialects
import Foundation
import GatewayCore
import Hummingbird

/// `POST /v1/turn`: credentials for the TURN servers, for a user whom the backend names.
struct TurnOrder: Sendable {
    let user: UserID

    /// - Throws: `bad_request` naming the field.
    init(_ body: [UInt8]) throws {
        user = try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(of: ObjectFields.value(of: bytes), named: ["userId"], path: "the body")
            guard let name = try fields.string("userId") else { throw RequestError(.badRequest, "userId: missing") }
            return try UserID(path: name)
        }
    }

    func answer(from servers: TurnServers?) throws -> Response {
        guard let servers else { throw TurnServers.absent }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        var answer: [UInt8] = [UInt8(ascii: "{")]
        NativeDialect().appendFields(of: servers.credentials(for: user, now: now), into: &answer)
        return .json(answer)
    }
}
