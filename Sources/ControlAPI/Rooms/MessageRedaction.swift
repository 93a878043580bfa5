import Dialects
import GatewayCore
import Hummingbird

/// `DELETE /v1/rooms/{roomId}/messages/{seq}?epoch=`: takes a message's payload away.
struct MessageRedaction: Sendable {
    let room: RoomName
    let seq: Int
    /// Nil for the one that the room's count runs through.
    let epoch: String?

    /// - Throws: `bad_request` naming the field.
    init(room: String, seq: String, target: RequestTarget) throws(RequestError) {
        self.room = try RoomName(path: room)
        guard let number = Int(seq), number > 0, seq.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw RequestError(.badRequest, "seq: must be a whole number from 1 on")
        }
        self.seq = number
        epoch = try target.value("epoch")
        if let epoch, !(1...64).contains(epoch.utf8.count) || epoch.utf8.contains(where: { $0 <= 32 || $0 >= 127 }) {
            throw RequestError(.badRequest, "epoch: must be 1 to 64 characters, as answers name it")
        }
    }

    func answer(from erasure: any MessageErasure) async throws -> Response {
        guard let redacted = try await erasure.redact(seq, of: epoch, in: room) else {
            throw Refusal.notFound("the room never had this message, or its epoch must be named")
        }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"roomId":"#, to: &answer)
        JSONWriter.append(string: room.string, to: &answer)
        JSONWriter.append(#","epoch":"#, to: &answer)
        JSONWriter.append(string: redacted.position.epoch, to: &answer)
        JSONWriter.append(#","seq":"#, to: &answer)
        JSONWriter.append(integer: redacted.position.seq, to: &answer)
        JSONWriter.append(#","redacted":true,"version":"#, to: &answer)
        JSONWriter.append(integer: redacted.version, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

/// `DELETE /v1/users/{userId}`: takes away what Redis holds of a user.
struct UserErasure: Sendable {
    let user: UserID

    init(user: String) throws(RequestError) {
        self.user = try UserID(path: user)
    }

    func answer(from erasure: any MessageErasure) async throws -> Response {
        let erased = try await erasure.erase(user)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"userId":"#, to: &answer)
        JSONWriter.append(string: user.string, to: &answer)
        JSONWriter.append(#","rooms":"#, to: &answer)
        JSONWriter.append(integer: erased.rooms, to: &answer)
        JSONWriter.append(#","messages":"#, to: &answer)
        JSONWriter.append(integer: erased.messages, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}
