import GatewayCore

/// How a message lies in the log and on a channel: opaque to the scripts, `msgType`, length of the user's name, user's name, payload.
///
/// `1 5 alice{"text":"hi"}`; on a channel behind `m <epoch> <seq> <timestamp> `.
enum MessageBody {
    static func encode(_ publication: Publication) -> [UInt8] {
        let user = publication.userId.string.utf8
        var body: [UInt8] = []
        body.reserveCapacity(16 + user.count + publication.payload.count)
        body.append(contentsOf: "\(publication.msgType) \(user.count) ".utf8)
        body.append(contentsOf: user)
        body.append(contentsOf: publication.payload)
        return body
    }

    /// Nil where the bytes are not what `encode` writes.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, room: RoomName, position: Position, timestamp: Int64
    ) -> RoomMessage? {
        var fields = SpacedFields(bytes)
        guard let msgType = fields.integer(), let length = fields.integer(), let user = fields.take(Int(length)) else {
            return nil
        }
        return RoomMessage(
            room: room, userId: UserID(unchecked: String(decoding: user, as: UTF8.self)), msgType: Int(msgType),
            payload: [UInt8](fields.rest), timestamp: timestamp, position: position)
    }
}

/// A message as it comes over a channel.
struct ChannelMessage {
    let epoch: UnsafeRawBufferPointer
    let seq: Int
    let timestamp: Int64
    let body: UnsafeRawBufferPointer

    /// Nil where the bytes are not what `publish` sends; what is given out lies in `bytes` and dies with it.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("m".utf8), let epoch = fields.word(),
            let seq = fields.integer(), let timestamp = fields.integer()
        else { return nil }
        self.epoch = epoch
        self.seq = Int(seq)
        self.timestamp = timestamp
        body = fields.rest
    }
}

/// Reads fields that are parted by single spaces, without copying; never beyond the bytes given.
struct SpacedFields {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        rest = bytes
    }

    /// The bytes up to the next space, or what else ends them, which is passed over; nil where there is none.
    mutating func word(before separator: UInt8 = UInt8(ascii: " ")) -> UnsafeRawBufferPointer? {
        guard let end = rest.firstIndex(of: separator) else { return nil }
        let word = UnsafeRawBufferPointer(rebasing: rest[..<end])
        rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
        return word
    }

    /// A whole number of up to 18 digits; nil for anything else.
    mutating func integer() -> Int64? {
        guard let digits = word(), (1...18).contains(digits.count) else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return value
    }

    /// The next `count` bytes; nil where fewer are left.
    mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= rest.count else { return nil }
        let taken = UnsafeRawBufferPointer(rebasing: rest[..<count])
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        return taken
    }
}
