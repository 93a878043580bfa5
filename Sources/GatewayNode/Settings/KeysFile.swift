import ControlAPI
import GatewayCore
import Yams

/// The file of `api.keysFile`: a list of keys, each with `name`, one of `key` and `sha256`, `scopes` and, where they bind
/// it, `rooms` and `rate`.
struct KeysFile {
    private static let known = ["name", "key", "sha256", "scopes", "rooms", "rate"]
    private static let maxKeys = 1000

    private let file: SettingsFile
    /// Why a key may not be one that anybody could guess; nil where it may.
    private let strictness: String?

    /// - Throws: what is wrong, which holds no key.
    static func keys(at path: String, strictness: String?) throws(SettingsError) -> [BackendKey] {
        try keys(in: text(of: path), path: path, strictness: strictness)
    }

    static func text(of path: String) throws(SettingsError) -> String {
        try SmallFile.text(of: path, limit: 1 << 20, called: "api.keysFile")
    }

    static func keys(in text: String, path: String, strictness: String?) throws(SettingsError) -> [BackendKey] {
        let (file, entries) = try SettingsFile.list(yaml: text, path: path)
        guard (1...maxKeys).contains(entries.count) else {
            throw SettingsError("\(path) holds \(entries.count) keys: 1 to \(maxKeys) may be there")
        }
        let reader = KeysFile(file: file, strictness: strictness)
        var keys: [BackendKey] = []
        for (index, node) in entries.enumerated() {
            let key = try reader.key(node, at: "keys[\(index)]")
            guard !keys.contains(where: { $0.name == key.name }) else {
                throw file.refusal(of: "keys[\(index)].name", at: node, "is that of another key too")
            }
            guard !keys.contains(where: { $0.isSame(as: key) }) else {
                throw file.refusal(of: "keys[\(index)]", at: node, "is the same key as another")
            }
            keys.append(key)
        }
        return keys
    }

    private func key(_ node: Yams.Node, at place: String) throws(SettingsError) -> BackendKey {
        let fields = try file.fields(of: node, at: place, known: KeysFile.known)
        guard let named = fields["name"] else { throw file.refusal(of: place, at: node, "has no name") }
        let name = try file.value(named, at: "\(place).name", KeysFile.name)
        guard let scoped = fields["scopes"] else {
            throw file.refusal(of: place, at: node, "has no scopes: \(KeysFile.scopes.words)")
        }
        let scopes = Set(try file.item(scoped, at: "\(place).scopes", KeysFile.scopes))
        let rooms = try fields["rooms"].map { rooms throws(SettingsError) in
            try file.item(rooms, at: "\(place).rooms", KeysFile.rooms)
        }
        guard rooms == nil || !scopes.contains(.admin) else {
            throw file.refusal(of: place, at: node, "has rooms, which bind no key with the scope admin")
        }
        let rate = try fields["rate"].map { rate throws(SettingsError) in
            try file.value(rate, at: "\(place).rate", SettingKind<Int>.integer(1...1_000_000))
        }
        switch (fields["key"], fields["sha256"]) {
        case (let written?, nil):
            let text = try file.value(
                written, at: "\(place).key", .text("key", check: { $0.isEmpty ? "is empty" : SettingCheck.apiKey($0) }),
                isSecret: true)
            let key = BackendKey(name: name, key: text, scopes: scopes, rooms: rooms, perSecond: rate)
            if key.isWeak, let strictness {
                throw file.refusal(
                    of: "\(place).key", at: written, "could be guessed, and \(strictness); \(KeyStrength.remedy)")
            }
            return key
        case (nil, let written?):
            let digest = try file.value(written, at: "\(place).sha256", KeysFile.digest, isSecret: true)
            let key = BackendKey(name: name, digest: digest, scopes: scopes, rooms: rooms, perSecond: rate)
            if key.isWeak, let strictness {
                throw file.refusal(
                    of: "\(place).sha256", at: written,
                    "is of a key that could be guessed, and \(strictness); \(KeyStrength.remedy)")
            }
            return key
        case (nil, nil): throw file.refusal(of: place, at: node, "has neither key nor sha256")
        case (.some, .some): throw file.refusal(of: place, at: node, "has both key and sha256: one of them is enough")
        }
    }

    // MARK: What stands in an entry

    private static let name = SettingKind<String>.text("1 to 64 of A-Z a-z 0-9 . _ -") { text in
        switch text {
        case "": "is empty"
        case "api.key": "is what the keys of api.key are called"
        default: SettingCheck.nodeId(text)
        }
    }

    private static let scopes = SettingKind<[APIScope]>.list(
        APIScope.allCases.map(\.rawValue).joined(separator: ", "), atLeast: 1, show: \.rawValue
    ) { text throws(ValueRefusal) in try SettingKind<APIScope>.choice.parse(.text(text)) }

    private static let rooms = SettingKind<[RoomPattern]>.list(
        "patterns of room names", atLeast: 1, show: \.description
    ) { text throws(ValueRefusal) in
        guard let pattern = RoomPattern(text) else { throw ValueRefusal("holds what is no pattern of room names") }
        return pattern
    }

    /// SHA-256 as `sha256sum` prints it.
    private static let digest = SettingKind<[UInt8]>("64 hexadecimal digits", show: { _ in "" }) {
        text throws(ValueRefusal) in
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 64, text.utf8.count == 64 else {
            throw ValueRefusal("is not 64 hexadecimal digits, as sha256sum prints them")
        }
        return stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
