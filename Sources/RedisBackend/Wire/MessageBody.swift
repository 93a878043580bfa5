import GatewayCore

/// The form of a message in the log and on a channel: `msgType`, length of the user's name, user's name, payload.
///
/// `1 5 alice{"text":"hi"}`; on a channel behind `m <epoch> <seq> <timestamp> `, or `v <timestamp> ` where it is not
/// stored. What few messages have stands behind the `msgType` by its length, and before the payload: the name of the
/// event, then the connection that is left out: `1.6 5 alicetyping{}`, `1.0.14 5 alice0123456789abcd{}`. Where the payload
/// was taken away there is `null` behind a blank, which no sender's payload begins with.
package enum MessageBody {
    /// The first in which such names are read.
    static let formatOfNames = 3
    private static let redacted = Array(" null".utf8)

    package static func encode(_ publication: Publication) -> [UInt8] {
        let user = publication.userId.string.utf8
        var body: [UInt8] = []
        guard publication.event != nil || publication.except != nil else {
            body.reserveCapacity(16 + user.count + publication.payload.count)
            body.append(contentsOf: "\(publication.msgType) \(user.count) ".utf8)
            body.append(contentsOf: user)
            body.append(contentsOf: publication.payload)
            return body
        }
        let (event, except) = (publication.event?.string ?? "", publication.except ?? "")
        let lengths = except.isEmpty ? ".\(event.utf8.count)" : ".\(event.utf8.count).\(except.utf8.count)"
        body.append(contentsOf: "\(publication.msgType)\(lengths) \(user.count) ".utf8)
        body.append(contentsOf: user)
        body.append(contentsOf: event.utf8)
        body.append(contentsOf: except.utf8)
        body.append(contentsOf: publication.payload)
        return body
    }

    /// Nil where the bytes are not what `encode` writes.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, room: RoomName, position: Position, timestamp: Int64
    ) -> RoomMessage? {
        var fields = SpacedFields(bytes)
        guard let head = fields.word().flatMap(Head.init), let length = fields.integer(),
            let user = fields.read(Int(length)), let event = fields.read(head.event),
            let except = fields.read(head.except)
        else { return nil }
        let isRedacted = fields.rest.count == redacted.count && fields.rest.elementsEqual(redacted)
        return RoomMessage(
            room: room, userId: UserID(unchecked: String(decoding: user, as: UTF8.self)), msgType: head.msgType,
            event: event.isEmpty ? nil : EventName(unchecked: String(decoding: event, as: UTF8.self)),
            payload: isRedacted ? Array("null".utf8) : [UInt8](fields.rest), isRedacted: isRedacted,
            timestamp: timestamp, position: position,
            except: except.isEmpty ? nil : String(decoding: except, as: UTF8.self))
    }

    /// The first word: the type, and how many bytes the event's name and the connection's have.
    private struct Head {
        var msgType = 0, event = 0, except = 0

        init?(_ word: UnsafeRawBufferPointer) {
            var number = 0, digits = 0, read = 0
            for byte in word {
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    digits += 1
                    guard digits <= 10 else { return nil }
                    number = number * 10 + Int(byte - UInt8(ascii: "0"))
                case UInt8(ascii: "."):
                    guard digits > 0, read < 2 else { return nil }
                    keep(number, at: read)
                    (number, digits, read) = (0, 0, read + 1)
                default: return nil
                }
            }
            guard digits > 0 else { return nil }
            keep(number, at: read)
        }

        private mutating func keep(_ number: Int, at place: Int) {
            switch place {
            case 0: msgType = number
            case 1: event = number
            default: except = number
            }
        }
    }
}
