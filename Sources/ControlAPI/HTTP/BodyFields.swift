import Hummingbird
import NIOHTTP1

/// The header fields of a request that say what its body is.
struct BodyFields: Sendable {
    /// `Content-Type` and the others; a field that comes several times is one list.
    private(set) var type: String?
    private(set) var coding: String?
    private(set) var length: String?
    private(set) var transferCoding: String?
    /// Whether the client waits to be asked for the body, or for something else.
    private(set) var expects = false

    init(_ fields: HTTPFields) {
        type = fields[.contentType]
        coding = fields[.contentEncoding]
        length = fields[.contentLength]
        transferCoding = fields[.transferEncoding]
        expects = fields[.expect] != nil
    }

    /// Looks at each field once.
    init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            switch name.utf8.count {
            case 6 where BodyFields.isSame(name, "expect"): expects = true
            case 12 where BodyFields.isSame(name, "content-type"): BodyFields.add(value, to: &type)
            case 14 where BodyFields.isSame(name, "content-length"): BodyFields.add(value, to: &length)
            case 16 where BodyFields.isSame(name, "content-encoding"): BodyFields.add(value, to: &coding)
            case 17 where BodyFields.isSame(name, "transfer-encoding"): BodyFields.add(value, to: &transferCoding)
            case _: break
            }
        }
    }

    /// Whether there is a body.
    var announcesBody: Bool {
        if transferCoding != nil { return true }
        return length.map { $0 != "0" } ?? false
    }

    private static func add(_ value: String, to field: inout String?) {
        field = field.map { "\($0), \(value)" } ?? value
    }

    /// Compares a name with one in small letters and hyphens.
    private static func isSame(_ name: String, _ small: String) -> Bool {
        name.utf8.elementsEqual(small.utf8) { $0 | 0x20 == $1 }
    }
}
