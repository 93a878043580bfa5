/// A room name in which `*` stands for any run of characters, the empty one included.
package struct RoomPattern: Hashable, Sendable, CustomStringConvertible {
    /// The literal pieces between the stars; one piece means no star.
    private let pieces: [[UInt8]]
    package let description: String

    /// Nil where the pattern is empty, longer than 200 bytes, or holds a character that no room name may.
    package init?(_ pattern: String) {
        let literal = String(pattern.map { $0 == "*" ? "x" : $0 })
        guard RoomName(room: literal) != nil else { return nil }
        pieces = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
        description = pattern
    }

    /// Whether the whole name matches; linear in the name, whatever the pattern.
    package func matches(_ room: RoomName) -> Bool {
        var room = room.string
        return room.withUTF8 { name in
            guard let first = pieces.first, let last = pieces.last else { return false }
            guard pieces.count > 1 else { return name.elementsEqual(first) }
            guard name.count >= first.count + last.count, name.starts(with: first),
                name.suffix(last.count).elementsEqual(last)
            else { return false }
            var rest = name[first.count..<(name.count - last.count)]
            for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
                guard let end = RoomPattern.end(of: piece, in: rest) else { return false }
                rest = rest[end...]
            }
            return true
        }
    }

    private static func end(of piece: [UInt8], in name: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
        guard name.count >= piece.count else { return nil }
        for start in name.startIndex...(name.endIndex - piece.count)
        where name[start..<(start + piece.count)].elementsEqual(piece) {
            return start + piece.count
        }
        return nil
    }
}
