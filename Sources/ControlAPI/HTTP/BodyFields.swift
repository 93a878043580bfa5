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

    init() {}

    /// Takes in a field; others than these are passed over.
    mutating func add(_ name: String, _ value: String) {
        switch name.utf8.count {
        case 6 where HTTPHeaders.isSame(name, "expect"): expects = true
        case 12 where HTTPHeaders.isSame(name, "content-type"): BodyFields.add(value, to: &type)
        case 14 where HTTPHeaders.isSame(name, "content-length"): BodyFields.add(value, to: &length)
        case 16 where HTTPHeaders.isSame(name, "content-encoding"): BodyFields.add(value, to: &coding)
        case 17 where HTTPHeaders.isSame(name, "transfer-encoding"): BodyFields.add(value, to: &transferCoding)
        case _: break
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
}

extension HTTPHeaders {
    /// Compares a name with one in small letters and hyphens.
    static func isSame(_ name: String, _ small: StaticString) -> Bool {
        var name = name
        return name.withUTF8 { name in
            guard name.count == small.utf8CodeUnitCount else { return false }
            for index in 0..<name.count where name[index] | 0x20 != small.utf8Start[index] { return false }
            return true
        }
    }
}
