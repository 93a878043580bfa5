import GatewayCore

/// The form of a message in the log and on a channel: opaque to the scripts, `msgType`, length of the user's name,
/// user's name, payload.
///
/// `1 5 alice{"text":"hi"}`; on a channel behind `m <epoch> <seq> <timestamp> `. Where the payload was taken away there is
/// `null` behind a blank, which no sender's payload begins with.
package enum MessageBody {
    private static let redacted = Array(" null".utf8)

    package static func encode(_ publication: Publication) -> [UInt8] {
        let user = publication.userId.string.utf8
        var body: [UInt8] = []
        body.reserveCapacity(16 + user.count + publication.payload.count)
        body.append(contentsOf: "\(publication.msgType) \(user.count) ".utf8)
        body.append(contentsOf: user)
        body.append(contentsOf: publication.payload)
        return body
    }

    /// Nil where the bytes are not what `encode` writes.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, room: RoomName, position: Position, timestamp: Int64
    ) -> RoomMessage? {
        var fields = SpacedFields(bytes)
        guard let msgType = fields.integer(), let length = fields.integer(), let user = fields.read(Int(length)) else {
            return nil
        }
        let isRedacted = fields.rest.count == redacted.count && fields.rest.elementsEqual(redacted)
        return RoomMessage(
            room: room, userId: UserID(unchecked: String(decoding: user, as: UTF8.self)), msgType: Int(msgType),
            payload: isRedacted ? Array("null".utf8) : [UInt8](fields.rest), isRedacted: isRedacted,
            timestamp: timestamp, position: position)
    }
}
