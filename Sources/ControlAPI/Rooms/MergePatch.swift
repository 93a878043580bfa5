import Dialects
import GatewayCore

/// A change of a JSON value by another (RFC 7396): fields of objects are merged, `null` takes one away, all else replaces.
enum MergePatch {
    /// Both are texts that were scanned to their end before; what neither changes is kept byte for byte.
    ///
    /// - Throws: `bad_request` where an object has a field twice: nobody knows which was meant.
    static func apply(_ patch: JSONValue, to target: JSONValue?) throws(RequestError) -> [UInt8] {
        guard let changes = patch.fields() else { return Array(patch.bytes) }
        var merged: [(name: String, text: [UInt8])] = []
        for (key, value) in target?.fields() ?? [] { merged.append((try name(key), Array(value.bytes))) }
        var seen: Set<String> = []
        for (key, value) in changes {
            let name = try name(key)
            guard seen.insert(name).inserted else { throw RequestError(.badRequest, "\(name): given twice") }
            let place = merged.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
            if case .null = value.kind {
                if let place { merged.remove(at: place) }
                continue
            }
            let text = try apply(value, to: target?.fields()?.first { $0.key.text == name }?.value)
            if let place { merged[place].text = text } else { merged.append((name, text)) }
        }
        var answer: [UInt8] = []
        JSONWriter.append("{", to: &answer)
        JSONWriter.append(merged, to: &answer) { field, bytes in
            JSONWriter.append(string: field.name, to: &bytes)
            JSONWriter.append(":", to: &bytes)
            bytes.append(contentsOf: field.text)
        }
        JSONWriter.append("}", to: &answer)
        return answer
    }

    private static func name(_ key: JSONString) throws(RequestError) -> String {
        guard let name = key.text else { throw RequestError(.badRequest, "not JSON: a name is no text") }
        return name
    }
}
