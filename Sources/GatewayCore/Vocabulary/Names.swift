/// The name of a user, as a token names it, compared byte for byte.
package struct UserID: Hashable, Sendable, CustomStringConvertible {
    private let exact: ExactString

    package var string: String { exact.value }
    package var description: String { exact.value }

    /// Who a backend's broadcast comes from when it names nobody; no client is let in under this name.
    package static let system = UserID(unchecked: "system")

    /// Who a guest's message is from; no name of anybody.
    package static let nobody = UserID(unchecked: "")

    package var isNobody: Bool { exact.value.isEmpty }

    /// What a person's name must be, worded to follow the field that holds it.
    package static let rule =
        "must be 1 to 128 bytes of characters that print, without white space at either end, and not system"

    /// Somebody who may connect, or whom a backend addresses.
    ///
    /// Nil where ``init(_:)`` is, for `system`, and where the name would be taken for another's on a screen: with a character
    /// that does not print (Unicode's general categories Cc, Cf but for U+200C and U+200D, which scripts and emoji need,
    /// Cs, Co, Cn, Zl and Zp), or white space at either end.
    package init?(person string: String) {
        self.init(string)
        guard self != .system else { return nil }
        guard !UserID.isPlainASCII(string) else {
            let blank = UInt8(ascii: " ")
            if string.utf8.first == blank || string.utf8.last == blank { return nil }
            return
        }
        let scalars = string.unicodeScalars
        guard scalars.allSatisfy(UserID.prints), scalars.first?.properties.isWhitespace == false,
            scalars.last?.properties.isWhitespace == false
        else { return nil }
    }

    /// Any name that a message, a watch or a record of an earlier version may bear.
    ///
    /// Nil where the string is empty, longer than 128 bytes or holds a control character (U+0000 to U+001F, U+007F to U+009F).
    package init?(_ string: String) {
        guard (1...128).contains(string.utf8.count),
            UserID.isPlainASCII(string)
                || string.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { return nil }
        exact = ExactString(string)
    }

    /// For names that were checked when they were stored.
    package init(unchecked string: String) {
        exact = ExactString(string)
    }

    /// Most names are: they spare the look into Unicode's tables.
    private static func isPlainASCII(_ string: String) -> Bool {
        string.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    private static func prints(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case .format: scalar == "\u{200C}" || scalar == "\u{200D}"
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
            .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber, .connectorPunctuation,
            .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
            .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol, .spaceSeparator:
            true
        @unknown default: false
        }
    }
}

/// The name of what a message tells of: 1 to 200 characters, none of them a control character.
package struct EventName: Hashable, Sendable, CustomStringConvertible {
    private let exact: ExactString

    package var string: String { exact.value }
    package var description: String { exact.value }

    /// What a name must be, worded to follow the field that holds it.
    package static let rule = "must be 1 to 200 characters, without control characters"

    private static let maxCharacters = 200

    /// Nil where the string is empty, longer or holds a control character; a character is one scalar of Unicode.
    package init?(_ string: String) {
        // Counted only where it can matter: four bytes are the most that a character takes.
        guard (1...4 * EventName.maxCharacters).contains(string.utf8.count),
            string.utf8.count <= EventName.maxCharacters || string.unicodeScalars.count <= EventName.maxCharacters,
            string.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { return nil }
        exact = ExactString(string)
    }

    /// For names that were checked when they were stored.
    package init(unchecked string: String) {
        exact = ExactString(string)
    }
}

/// A named, ordered stream of messages: a room proper, a user's inbox (`@<userId>`) or everyone (`*`).
package struct RoomName: Hashable, Sendable, CustomStringConvertible {
    private let exact: ExactString

    package var string: String { exact.value }
    package var description: String { exact.value }

    /// The room every connection is in by itself; only backends write to it.
    package static let everyone = RoomName(unchecked: "*")

    /// A room proper: 1 to 200 characters of `A-Z a-z 0-9 _ - . : = , ; @`, the first not `@`; nil for anything else.
    package init?(room string: String) {
        guard (1...200).contains(string.utf8.count), string.utf8.first != UInt8(ascii: "@"),
            string.utf8.allSatisfy(RoomName.isAllowed)
        else { return nil }
        exact = ExactString(string)
    }

    /// The inbox of a user.
    package init(inboxOf user: UserID) {
        exact = ExactString("@" + user.string)
    }

    /// Any of the three kinds, as clients and paths write them; nil where none fits.
    package init?(_ string: String) {
        if string == "*" {
            self = .everyone
        } else if string.utf8.first == UInt8(ascii: "@") {
            guard let user = UserID(String(Substring(string.utf8.dropFirst()))) else { return nil }
            self.init(inboxOf: user)
        } else {
            self.init(room: string)
        }
    }

    /// For names that were checked when they were stored.
    package init(unchecked string: String) {
        exact = ExactString(string)
    }

    package var isEveryone: Bool { self == .everyone }
    package var isInbox: Bool { string.utf8.first == UInt8(ascii: "@") }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "@"):
            true
        default:
            false
        }
    }
}
