import Dialects
import GatewayCore

/// An object of a backend's answer; `null` counts as absent, and whoever says a thing twice has said nothing. As long valid as
/// the text's memory is.
struct HookObject {
    private let fields: [(key: JSONString, value: JSONValue)]

    /// A whole answer. What it says of a user goes on to others byte for byte, and a text frame is UTF-8 (RFC 6455, 8.1).
    init(_ text: UnsafeRawBufferPointer) throws(HookProblem) {
        guard String(validating: text, as: UTF8.self) != nil else { throw HookProblem("its answer is not UTF-8") }
        let value: JSONValue
        do throws(JSONError) {
            var scanner = JSONScanner(text)
            value = try scanner.value()
            try scanner.end()
        } catch {
            throw HookProblem("its answer is no JSON")
        }
        try self.init(value, "its answer")
    }

    private init(_ value: JSONValue, _ name: String) throws(HookProblem) {
        guard let fields = value.fields() else { throw HookProblem("\(name) is no object") }
        self.fields = fields
    }

    /// The value of a field; nil where it is not there.
    func value(_ name: StaticString) throws(HookProblem) -> JSONValue? {
        let found = fields.filter { $0.key.equals(name) }
        guard found.count <= 1 else { throw HookProblem("its \(name) stands there twice") }
        guard let value = found.first?.value, !value.bytes.elementsEqual("null".utf8) else { return nil }
        return value
    }

    /// Whether a field stands there, once or more.
    func has(_ name: StaticString) -> Bool {
        fields.contains { $0.key.equals(name) && !$0.value.bytes.elementsEqual("null".utf8) }
    }

    /// Whether a field stands there with this value, whatever stands there too.
    func says(_ boolean: Bool, _ name: StaticString) -> Bool {
        fields.contains { $0.key.equals(name) && $0.value.boolean == boolean }
    }

    func object(_ name: StaticString) throws(HookProblem) -> HookObject? {
        guard let value = try value(name) else { return nil }
        return try HookObject(value, "its \(name)")
    }

    func text(_ name: StaticString) throws(HookProblem) -> String? {
        guard let value = try value(name) else { return nil }
        guard let text = value.string?.text else { throw HookProblem("its \(name) is no text") }
        return text
    }

    func boolean(_ name: StaticString) throws(HookProblem) -> Bool? {
        guard let value = try value(name) else { return nil }
        guard let boolean = value.boolean else { throw HookProblem("its \(name) is neither true nor false") }
        return boolean
    }

    func number(_ name: StaticString) throws(HookProblem) -> Double? {
        guard let value = try value(name) else { return nil }
        guard case .number = value.kind, let number = Double(String(decoding: value.bytes, as: UTF8.self)),
            number.isFinite
        else { throw HookProblem("its \(name) is no number") }
        return number
    }

    /// A user that somebody can be.
    func user(_ name: StaticString) throws(HookProblem) -> UserID? {
        guard let text = try text(name) else { return nil }
        guard let user = UserID(person: text) else { throw HookProblem("its \(name) \(UserID.rule)") }
        return user
    }

    /// What is shown of a user, byte for byte; no longer than a token's may be.
    func info(_ name: StaticString) throws(HookProblem) -> [UInt8]? {
        guard let value = try value(name) else { return nil }
        guard case .object = value.kind, value.bytes.count <= TokenRules.maxInfoBytes else {
            throw HookProblem("its \(name) is no object of \(TokenRules.maxInfoBytes) bytes at most")
        }
        return Array(value.bytes)
    }

    func texts(_ name: StaticString) throws(HookProblem) -> [String]? {
        guard let value = try value(name) else { return nil }
        return try HookObject.texts(value, name)
    }

    private static func texts(_ value: JSONValue, _ name: StaticString) throws(HookProblem) -> [String] {
        guard let elements = value.elements() else { throw HookProblem("its \(name) is no list") }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string?.text else { throw HookProblem("its \(name) holds what is no text") }
            texts.append(text)
        }
        return texts
    }

    /// The names of an object's fields.
    func names(_ name: StaticString) throws(HookProblem) -> [String] {
        guard let object = try object(name) else { return [] }
        return try object.pairs(name).map(\.name)
    }

    private func pairs(_ name: StaticString) throws(HookProblem) -> [(name: String, value: JSONValue)] {
        var pairs: [(name: String, value: JSONValue)] = []
        for field in fields {
            guard let key = field.key.text else { throw HookProblem("its \(name) has a name that is no text") }
            pairs.append((key, field.value))
        }
        return pairs
    }

    /// Rooms by their names: those proper.
    static func rooms(_ names: [String], _ field: StaticString) throws(HookProblem) -> [RoomName] {
        var rooms: [RoomName] = []
        for name in names {
            guard let room = RoomName(room: name) else { throw HookProblem("its \(field) holds what is no room") }
            rooms.append(room)
        }
        return rooms
    }

    /// Rights by patterns of rooms, as a token's `rooms`.
    func grants(_ name: StaticString) throws(HookProblem) -> RoomGrants? {
        guard let object = try object(name) else { return nil }
        var claim: [String: [String]] = [:]
        for (pattern, value) in try object.pairs(name) { claim[pattern] = try HookObject.texts(value, name) }
        do throws(TokenError) {
            return try RoomGrants(claim: claim)
        } catch {
            throw HookProblem(
                "its \(name) is no object of lists of join, publish, presence, history by patterns of rooms")
        }
    }
}
