import GatewayCore
import Yams

/// A configuration file, taken apart: scalar keys by path, and the list of room rules.
struct SettingsFile {
    /// What each known key is set to, and on which line.
    private(set) var values: [String: (raw: RawSetting, line: Int?)] = [:]
    private(set) var rooms: [Yams.Node] = []
    private(set) var issuers: [Yams.Node] = []
    private(set) var apps: [Yams.Node] = []
    /// Whether it sets nothing: it is empty, or comments alone.
    var isEmpty: Bool { values.isEmpty && rooms.isEmpty && issuers.isEmpty && apps.isEmpty }
    private let path: String

    /// Reads YAML; `path` is for messages alone. Throws on unknown keys, keys given twice, and wrong shapes.
    init(yaml: String, path: String) throws(SettingsError) {
        self.path = path
        guard let root = try SettingsFile.compose(yaml, path: path) else { return }
        if root.isNull { return }
        guard let mapping = root.mapping else {
            throw SettingsError("\(path): the file is not a list of keys and values")
        }
        try read(mapping, under: "")
    }

    /// A file that is a list; its entries are read with what the other holds for them.
    static func list(yaml: String, path: String) throws(SettingsError) -> (SettingsFile, [Yams.Node]) {
        let file = try SettingsFile(yaml: "", path: path)
        guard let root = try compose(yaml, path: path), !root.isNull else { return (file, []) }
        guard let entries = root.sequence else { throw SettingsError("\(path): the file is not a list") }
        return (file, Array(entries))
    }

    private mutating func read(_ mapping: Yams.Node.Mapping, under prefix: String) throws(SettingsError) {
        for (name, value) in mapping {
            guard let name = name.scalar?.string else {
                throw refusal(of: prefix, at: value, "has a key that is not a name")
            }
            let key = prefix.isEmpty ? name : "\(prefix).\(name)"
            if key == "rooms" {
                rooms = try list(value, called: key)
            } else if key == "auth.issuers" {
                issuers = try list(value, called: key)
            } else if key == "pusher.apps" {
                apps = try list(value, called: key)
            } else if SettingKey.byPath[key] != nil {
                try readScalar(key, value)
            } else if SettingKey.all.contains(where: { $0.path.hasPrefix(key + ".") }) {
                if value.isNull { continue }
                guard let group = value.mapping else {
                    throw refusal(of: key, at: value, "is a group of keys, not a value")
                }
                try read(group, under: key)
            } else {
                let hint = SettingKey.hint(forPath: key)
                throw refusal(of: key, at: value, "is not a key\(hint)")
            }
        }
    }

    private mutating func readScalar(_ key: String, _ value: Yams.Node) throws(SettingsError) {
        if value.isNull { throw refusal(of: key, at: value, "has no value") }
        let raw: RawSetting
        if let text = value.scalar?.string {
            raw = .text(text)
        } else if let items = value.sequence {
            var texts: [String] = []
            for item in items {
                guard let text = item.scalar?.string else {
                    throw refusal(of: key, at: item, "has an item that is not a single value")
                }
                texts.append(text)
            }
            raw = .list(texts)
        } else {
            throw refusal(of: key, at: value, "is a single value, not a group of keys")
        }
        if let first = values[key] {
            let line = first.line.map { ", first on line \($0)" } ?? ""
            throw refusal(of: key, at: value, "is given twice\(line)")
        }
        values[key] = (raw, value.mark?.line)
    }

    private func list(_ value: Yams.Node, called key: String) throws(SettingsError) -> [Yams.Node] {
        // Nothing, once SIGHUP has it taken, would be the end of all that was there.
        if value.isNull { throw refusal(of: key, at: value, "has no value; an empty list is []") }
        guard let list = value.sequence else { throw refusal(of: key, at: value, "is not a list") }
        return Array(list)
    }

    /// An error that names the key, the file and, where known, the line.
    func refusal(of key: String, at node: Yams.Node?, _ problem: String) -> SettingsError {
        SettingsError("\(key) \(problem) (\(SettingOrigin.file(path: path, line: node?.mark?.line)))")
    }

    private static func compose(_ yaml: String, path: String) throws(SettingsError) -> Yams.Node? {
        do {
            return try Yams.compose(yaml: yaml)
        } catch let error as YamlError {
            throw SettingsError(describe(error, yaml: yaml, path: path))
        } catch {
            throw SettingsError("\(path): the file is not YAML")
        }
    }

    /// One line out of the several of a YAML error; none of the file's text, which may hold secrets.
    private static func describe(_ error: YamlError, yaml: String, path: String) -> String {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let lines = yaml.split(separator: "\n", omittingEmptySubsequences: false)
            let isTab = lines.indices.contains(mark.line - 1) && lines[mark.line - 1].drop { $0 == " " }.first == "\t"
            if isTab { return "\(path), line \(mark.line): a tab indents it, YAML takes spaces only" }
            let isStar = (context?.text ?? problem).contains("alias")
            return "\(path), line \(mark.line): \(isStar ? "text that begins with * needs quotes" : problem)"
        case .duplicatedKeysInMapping(let duplicates, let context):
            return "\(duplicates.sorted().joined(separator: ", ")) is given twice (\(path), line \(context.mark.line))"
        case .reader(let problem, _, _, _):
            return "\(path): \(problem)"
        default:
            return "\(path): the file is not YAML"
        }
    }
}

extension Yams.Node {
    /// Whether nothing is written after the colon, or one of YAML's words for nothing.
    var isNull: Bool {
        guard let scalar, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }
}

extension SettingKey {
    static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    /// Where a key stands whose last word is this one, or else the path that looks most like it.
    static func hint(forPath path: String) -> String {
        let word = path.split(separator: ".").last.map(String.init) ?? path
        let sameWord = all.map(\.path).filter { $0.hasSuffix("." + word) }
        if (1...3).contains(sameWord.count) { return ", did you mean \(sameWord.joined(separator: " or "))?" }
        let groups = Set(all.compactMap { $0.path.split(separator: ".").dropLast().first.map(String.init) })
        let lists = ["rooms", "auth.issuers", "pusher.apps"]
        return Spelling.hint(for: path, among: all.map(\.path) + groups.sorted() + lists)
    }
}
