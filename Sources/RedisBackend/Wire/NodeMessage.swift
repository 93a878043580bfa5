import GatewayCore

/// A message on a node's own channels, `m:{tag}:node:<node>`; the first byte tells the kind, names carry their length in
/// bytes and may hold any byte, what comes last goes to the end.
///
/// - `i <epoch> <seq> <timestamp> <user length> <user><body>`: a message for a user's inbox, by `publish`; the body as
///   for rooms
/// - `x <code> <connection length> <text length> <connection><text>`: close this connection
/// - `g <room length> <from length> <to length> <room><from><to><payload>`: a signal for those connections of `to` that
///   are in the room
/// - `k <kind> <version> <room length> <user length> <room><user><reason>`: the user's connections, or where none is named
///   all, are out of the room: `r`, removed; `c`, the room was closed
/// - `a <room length> <room><user>`: put the user's connections into the room
/// - `v <room>`: the host of a room of this partition, which the node coordinates, has left
/// - `c <instance> <number>`: what the node sent to itself, to see whether it comes back
///
/// In a script: `'x ' .. code .. ' ' .. #connection .. ' ' .. #text .. ' ' .. connection .. text`, and
/// `'g ' .. #room .. ' ' .. #from .. ' ' .. #to .. ' ' .. room .. from .. to .. payload`.
package enum NodeMessage {
    /// The memory lies in what was decoded, and dies with it.
    case inbox(InboxMessage)
    case close(connection: String, reason: CloseReason, text: String)
    case signal(Signal)
    case canary(number: Int, instance: String)
    case putOut(PutOut)
    case invited(UserID, to: RoomName)
    case vacated(RoomName)

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
        case UInt8(ascii: "a"):
            guard let length = fields.integer(), let room = fields.text(length) else { return nil }
            let user = UserID(unchecked: String(decoding: fields.rest, as: UTF8.self))
            self = .invited(user, to: RoomName(unchecked: room))
        case UInt8(ascii: "v"):
            self = .vacated(RoomName(unchecked: String(decoding: fields.rest, as: UTF8.self)))
        case UInt8(ascii: "c"):
            guard let instance = fields.word(), let number = Int(String(decoding: fields.rest, as: UTF8.self)) else {
                return nil
            }
            self = .canary(number: number, instance: String(decoding: instance, as: UTF8.self))
        default:
            return nil
        }
    }
}

extension SpacedFields {
    /// The next `length` bytes as text; nil where fewer are left.
    mutating func text(_ length: Int64) -> String? {
        read(Int(length)).map { String(decoding: $0, as: UTF8.self) }
    }
}
