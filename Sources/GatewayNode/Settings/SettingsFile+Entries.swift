import Yams

/// The parts of an entry in a list of the file.
extension SettingsFile {
    func fields(
        of node: Yams.Node, at place: String, known: [String]
    ) throws(SettingsError) -> [String: Yams.Node] {
        guard let mapping = node.mapping else {
            throw refusal(of: place, at: node, "is not a group of \(known.joined(separator: ", "))")
        }
        var fields: [String: Yams.Node] = [:]
        for (name, value) in mapping {
            let name = name.scalar?.string ?? ""
            guard known.contains(name) else {
                let hint = Spelling.hint(for: name, among: known)
                throw refusal(of: "\(place).\(name)", at: value, "is not a key\(hint)")
            }
            fields[name] = value
        }
        return fields
    }

    /// - Parameter isSecret: whether an error keeps the value to itself.
    func value<Value>(
        _ node: Yams.Node, at place: String, _ kind: SettingKind<Value>, isSecret: Bool = false
    ) throws(SettingsError) -> Value {
        guard let text = node.scalar?.string else { throw refusal(of: place, at: node, "is not a single value") }
        do {
            return try kind.parse(.text(text))
        } catch {
            let shown = isSecret ? "" : "= \(RawSetting.text(text).quoted) "
            throw refusal(of: place, at: node, "\(shown)\(error.problem)")
        }
    }

    /// The same for a value that may be written as a list too.
    func item<Value>(
        _ node: Yams.Node, at place: String, _ kind: SettingKind<Value>, isSecret: Bool = false
    ) throws(SettingsError) -> Value {
        guard let items = node.sequence else { return try value(node, at: place, kind, isSecret: isSecret) }
        var texts: [String] = []
        for item in items {
            guard let text = item.scalar?.string else {
                throw refusal(of: place, at: item, "has an item that is not a single value")
            }
            texts.append(text)
        }
        do throws(ValueRefusal) {
            return try kind.parse(.list(texts))
        } catch {
            let shown = isSecret ? "" : "= \(RawSetting.list(texts).quoted) "
            throw refusal(of: place, at: node, "\(shown)\(error.problem)")
        }
    }
}
