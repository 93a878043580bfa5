/// The distribution of members and publishers over rooms: member `i` is in room `i mod rooms`.
///
/// With at least as many rooms as publishers, publisher `p` serves the rooms `r` with `r mod publishers = p`; with
/// fewer, each publisher serves the one room `p mod rooms`. So a publisher that must be a member joins few rooms.
package struct RoomLayout: Codable, Sendable, Equatable {
    package let rooms: Int
    package let publishers: Int
    /// Room names are this and seven digits.
    package let prefix: String

    package init(rooms: Int, publishers: Int, prefix: String) {
        self.rooms = rooms
        self.publishers = publishers
        self.prefix = prefix
    }

    /// How many publishers one room can have.
    var ranks: Int { max(1, (publishers + rooms - 1) / rooms) }

    /// How many rooms one publisher can serve.
    var roomsOfPublisher: Int { publishers == 0 ? 0 : max(1, (rooms + publishers - 1) / publishers) }

    /// Which of the room's publishers this one is; nil when it does not serve that room.
    func rank(of publisher: Int, in room: Int) -> Int? {
        guard publisher < publishers, room < rooms else { return nil }
        if rooms >= publishers { return room % publishers == publisher ? 0 : nil }
        return publisher % rooms == room ? publisher / rooms : nil
    }

    /// The rooms that a publisher serves.
    func rooms(of publisher: Int) -> [Int] {
        rooms >= publishers ? Array(stride(from: publisher, to: rooms, by: publishers)) : [publisher % rooms]
    }

    func name(of room: Int) -> String { prefix + Decimal.text(room, digits: RoomLayout.digits) }

    static let digits = 7
    static let maxRooms = 1_000_000
}

/// Numbers of a fixed width, so that each message is as long as the next and fields are found without a search.
enum Decimal {
    static func text(_ value: Int, digits: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    static func append(_ value: UInt64, digits: Int, to bytes: inout [UInt8]) {
        var rest = value
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: digits))
        for index in stride(from: start + digits - 1, through: start, by: -1) {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    /// The number in `bytes[range]`; nil where anything but digits stands there, or too few.
    @inline(__always)
    static func read(_ bytes: UnsafeRawBufferPointer, at start: Int, digits: Int) -> UInt64? {
        guard start >= 0, start + digits <= bytes.count else { return nil }
        var value: UInt64 = 0
        for index in start..<start + digits {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value &* 10 &+ UInt64(digit)
        }
        return value
    }
}
