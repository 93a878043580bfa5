import GatewayCore

/// A message on a node's own channels, `m:{tag}:node:<node>`; the first byte tells the kind, names carry their length in
/// bytes and may hold any byte, what comes last goes to the end.
///
/// - `i <epoch> <seq> <timestamp> <user length> <user><body>`: a message for a user's inbox, by `publish`; the body as
///   for rooms
/// - `v <timestamp> <user length> <user><body>`: one that is not stored
/// - `r <epoch> <1 or 0> <user length> <user><seqs>`: these messages of the user's inbox have no payload any more; as for
///   rooms, see `RedactionMessage`
/// - `x <code> <connection length> <text length> <connection><text>`: close this connection
/// - `g <room length> <from length> <to length> <room><from><to><payload>`: a signal for those connections of `to` that
///   are in the room
/// - `k <kind> <version> <room length> <user length> <room><user><reason>`: the user's connections, or where none is named
///   all, are out of the room: `r`, removed; `c`, the room was closed
/// - `n <room length> <room><user>`: put the user's connections into the room
/// - `h <room>`: the host of a room of this partition, which the node coordinates, has left
/// - `c <instance> <number>`: what the node sent to itself, to see whether it comes back
/// - `q <number> <code> <asker length> <connection length> <text length> <asker><connection><text>`: close this connection
///   if it is here, and tell the asker whether it is
/// - `a <number> <0 or 1> <node>`: the answer of a node to that
/// - `f <number> <asker length> <asker><user>`: ask the backend again about the user's connections here, and tell the asker how
///   many they are
/// - `z <number> <count> <node>`: the answer of a node to that
/// - `w <0 or 1> <user>`: a user with connections here is invisible from now on, or no longer
///
/// In a script: `'x ' .. code .. ' ' .. #connection .. ' ' .. #text .. ' ' .. connection .. text`, and
/// `'g ' .. #room .. ' ' .. #from .. ' ' .. #to .. ' ' .. room .. from .. to .. payload`.
package enum NodeMessage {
    /// The memory lies in what was decoded, and dies with it.
    case inbox(InboxMessage)
    /// The same, of one that is not stored: without epoch and number.
    case unstored(user: UnsafeRawBufferPointer, timestamp: Int64, body: UnsafeRawBufferPointer)
    case close(connection: String, reason: CloseReason, text: String)
    case signal(Signal)
    case redacted(Redaction)
    case canary(number: Int, instance: String)
    case putOut(PutOut)
    case invited(UserID, to: RoomName)
    case vacated(RoomName)
    case seek(Seek)
    case found(Found)
    case visibility(UserID, isInvisible: Bool)
    case review(UserID, number: Int, asker: String)
    case reviewed(count: Int, number: Int, node: String)

    /// A question for a connection of which only the name is known.
    package struct Seek: Hashable, Sendable {
        package var number: Int
        package var asker: String
        package var connection: String
        package var reason: CloseReason
        package var text: String

        package init(number: Int, asker: String, connection: String, reason: CloseReason, text: String) {
            self.number = number
            self.asker = asker
            self.connection = connection
            self.reason = reason
            self.text = text
        }
    }

    package struct Found: Hashable, Sendable {
        package var number: Int
        package var isHere: Bool
        package var node: String

        package init(number: Int, isHere: Bool, node: String) {
            self.number = number
            self.isHere = isHere
            self.node = node
        }
    }

    package struct InboxMessage {
        let user: UnsafeRawBufferPointer
        let epoch: UnsafeRawBufferPointer
        let seq: Int
        let timestamp: Int64
        let body: UnsafeRawBufferPointer
    }

    /// Nil where the bytes are none of these kinds.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.count == 1 else { return nil }
        switch kind[0] {
        case UInt8(ascii: "i"):
            guard let epoch = fields.word(), let seq = fields.integer(), let timestamp = fields.integer(),
                let length = fields.integer(), let user = fields.read(Int(length))
            else { return nil }
            self = .inbox(
                InboxMessage(
                    user: user, epoch: epoch, seq: Int(seq), timestamp: timestamp, body: fields.rest))
        case UInt8(ascii: "v"):
            guard let timestamp = fields.integer(), let length = fields.integer(), let user = fields.read(Int(length))
            else { return nil }
            self = .unstored(user: user, timestamp: timestamp, body: fields.rest)
        case UInt8(ascii: "x"):
            guard let code = fields.integer(), let length = fields.integer(),
                let textLength = fields.integer(),
                let connection = fields.text(length), let text = fields.text(textLength),
                fields.rest.isEmpty,
                let reason = UInt16(exactly: code).flatMap(CloseReason.init(rawValue:))
            else { return nil }
            self = .close(connection: connection, reason: reason, text: text)
        case UInt8(ascii: "g"):
            guard let roomLength = fields.integer(), let fromLength = fields.integer(),
                let toLength = fields.integer(),
                let room = fields.text(roomLength), let from = fields.text(fromLength),
                let to = fields.text(toLength)
            else { return nil }
            self = .signal(
                Signal(
                    room: RoomName(unchecked: room), from: UserID(unchecked: from), to: UserID(unchecked: to),
                    payload: [UInt8](fields.rest)))
        case UInt8(ascii: "r"):
            guard let epoch = fields.word(), let isPresent = fields.integer(), let length = fields.integer(),
                let user = fields.text(length),
                let message = RedactionMessage(epoch: epoch, isPresent: isPresent == 1, seqs: fields.rest)
            else { return nil }
            self = .redacted(message.redaction(in: RoomName(inboxOf: UserID(unchecked: user))))
        case UInt8(ascii: "k"):
            guard let kind = fields.word(), let version = fields.integer(), let roomLength = fields.integer(),
                let userLength = fields.integer(), let room = fields.text(roomLength),
                let user = fields.text(userLength)
            else { return nil }
            let reason = String(decoding: fields.rest, as: UTF8.self)
            let isClosed = kind.elementsEqual("c".utf8)
            self = .putOut(
                PutOut(
                    room: RoomName(unchecked: room), user: userLength > 0 ? UserID(unchecked: user) : nil,
                    version: version, isClosed: isClosed, reason: reason.isEmpty ? nil : reason))
        case UInt8(ascii: "n"):
            guard let length = fields.integer(), let room = fields.text(length) else { return nil }
            let user = UserID(unchecked: String(decoding: fields.rest, as: UTF8.self))
            self = .invited(user, to: RoomName(unchecked: room))
        case UInt8(ascii: "h"):
            self = .vacated(RoomName(unchecked: String(decoding: fields.rest, as: UTF8.self)))
        case UInt8(ascii: "c"):
            guard let instance = fields.word(), let number = Int(String(decoding: fields.rest, as: UTF8.self)) else {
                return nil
            }
            self = .canary(number: number, instance: String(decoding: instance, as: UTF8.self))
        case UInt8(ascii: "q"):
            guard let number = fields.integer(), let code = fields.integer(), let askerLength = fields.integer(),
                let length = fields.integer(), let textLength = fields.integer(),
                let asker = fields.text(askerLength), let connection = fields.text(length),
                let text = fields.text(textLength), fields.rest.isEmpty,
                let reason = UInt16(exactly: code).flatMap(CloseReason.init(rawValue:))
            else { return nil }
            self = .seek(
                Seek(number: Int(number), asker: asker, connection: connection, reason: reason, text: text))
        case UInt8(ascii: "a"):
            guard let number = fields.integer(), let isHere = fields.integer(), isHere == 0 || isHere == 1,
                !fields.rest.isEmpty
            else { return nil }
            self = .found(
                Found(number: Int(number), isHere: isHere == 1, node: String(decoding: fields.rest, as: UTF8.self)))
        case UInt8(ascii: "f"):
            guard let number = fields.integer(), let length = fields.integer(), let asker = fields.text(length),
                !fields.rest.isEmpty
            else { return nil }
            let user = UserID(unchecked: String(decoding: fields.rest, as: UTF8.self))
            self = .review(user, number: Int(number), asker: asker)
        case UInt8(ascii: "z"):
            guard let number = fields.integer(), let count = fields.integer(), count >= 0, !fields.rest.isEmpty else {
                return nil
            }
            let node = String(decoding: fields.rest, as: UTF8.self)
            self = .reviewed(count: Int(count), number: Int(number), node: node)
        case UInt8(ascii: "w"):
            guard let flag = fields.integer(), flag == 0 || flag == 1, !fields.rest.isEmpty else { return nil }
            let user = UserID(unchecked: String(decoding: fields.rest, as: UTF8.self))
            self = .visibility(user, isInvisible: flag == 1)
        default:
            return nil
        }
    }
}

extension NodeMessage {
    package static func seek(
        number: Int, asker: String, connection: String, reason: CloseReason, text: String
    ) -> [UInt8] {
        let lengths = "\(asker.utf8.count) \(connection.utf8.count) \(text.utf8.count)"
        return Array("q \(number) \(reason.code) \(lengths) \(asker)\(connection)\(text)".utf8)
    }

    package static func found(_ isHere: Bool, number: Int, node: String) -> [UInt8] {
        Array("a \(number) \(isHere ? 1 : 0) \(node)".utf8)
    }

    package static func askAgain(_ user: UserID, number: Int, asker: String) -> [UInt8] {
        Array("f \(number) \(asker.utf8.count) \(asker)\(user.string)".utf8)
    }

    package static func askedAgain(count: Int, number: Int, node: String) -> [UInt8] {
        Array("z \(number) \(count) \(node)".utf8)
    }
}

extension SpacedFields {
    /// The next `length` bytes as text; nil where fewer are left.
    mutating func text(_ length: Int64) -> String? {
        read(Int(length)).map { String(decoding: $0, as: UTF8.self) }
    }
}
