/// One value on its way to a database or from it.
package enum SQLValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case text(String)
    case bytes([UInt8])

    /// The number, also of a text that spells one, as some databases give it.
    var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .text(let text): Int64(text)
        case .bytes(let bytes): Int64(String(decoding: bytes, as: UTF8.self))
        case .null: nil
        }
    }

    var string: String? {
        switch self {
        case .text(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .integer(let value): String(value)
        case .null: nil
        }
    }

    var bytes: [UInt8]? {
        switch self {
        case .bytes(let bytes): bytes
        case .text(let text): Array(text.utf8)
        case .integer, .null: nil
        }
    }

    /// Text, or nothing.
    static func optional(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }

    static func count(_ count: Int) -> SQLValue { .integer(Int64(count)) }

    /// A moment in milliseconds since 1970, as all three databases read it.
    static func moment(_ milliseconds: Int64) -> SQLValue { .text(UTCTime.text(of: milliseconds)) }
}
