/// The reason why a configuration is refused: one line that names the key, never the value of a secret.
package struct SettingsError: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// The fault of one value, worded to follow it: `is not a whole number`.
struct ValueRefusal: Error {
    let problem: String

    init(_ problem: String) {
        self.problem = problem
    }
}

/// The place where a value stands.
enum SettingOrigin: Sendable, CustomStringConvertible {
    case file(path: String, line: Int?)
    case variable(String)

    var description: String {
        switch self {
        case .file(let path, let line?): "\(path), line \(line)"
        case .file(let path, nil): path
        case .variable(let name): "from \(name)"
        }
    }
}

/// A value as it was written, before anyone knows what it means.
enum RawSetting: Sendable {
    case text(String)
    case list([String])

    /// The value on one line, in quotes, no longer than a reader needs to recognize it.
    var quoted: String {
        let whole =
            switch self {
            case .text(let text): text
            case .list(let items): items.joined(separator: ", ")
            }
        let line = String(
            whole.map { $0.isNewline || $0.asciiValue.map { $0 < 0x20 || $0 == 0x7F } == true ? " " : $0 })
        return line.count > 60 ? "\"\(line.prefix(60))…\"" : "\"\(line)\""
    }
}
