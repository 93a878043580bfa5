import GatewayCore

/// The description of a node by itself in its entry of the index, as `name=value`, so that releases can say more and
/// less.
package enum NodeDescription {
    /// - Parameter reason: why the node is not ready; nil where it is.
    package static func encode(
        _ format: Format, startedAt: Int64, load: NodeLoad, version: String, ability: Ability.Word, reason: String?
    ) -> String {
        let processor = (load.processor * 1000).rounded() / 1000
        return "\(format.text) started=\(startedAt) connections=\(load.connections) rooms=\(load.rooms)"
            + " processor=\(processor) version=\(version) able=\(ability == .able ? 1 : 0)"
            + (reason.map { " reason=\(Escaping.escaped($0))" } ?? "")
    }

    /// An entry of the index, `instance incarnation beat time`, then what the node says; nil where it is not one.
    package static func node(_ nodeId: String, entry: String) -> NodeEntry? {
        let fields = entry.split(separator: " ")
        guard fields.count > 4, let incarnation = Int64(fields[1]) else { return nil }
        var said: [Substring: Substring] = [:]
        for field in fields.dropFirst(4) {
            guard let sign = field.firstIndex(of: "=") else { continue }
            said[field[..<sign]] = field[field.index(after: sign)...]
        }
        guard let startedAt = said["started"].flatMap({ Int64($0) }),
            let connections = said["connections"].flatMap({ Int($0) }), let rooms = said["rooms"].flatMap({ Int($0) }),
            let processor = said["processor"].flatMap({ Double($0) }), let version = said["version"]
        else { return nil }
        return NodeEntry(
            nodeId: nodeId, incarnation: incarnation, startedAt: startedAt,
            load: NodeLoad(connections: connections, rooms: rooms, processor: processor), version: String(version),
            reason: said["reason"].map { Escaping.text(of: $0) })
    }

    /// Text without blanks, and of a bounded length: whatever is no letter, digit or plain mark as `%` and two hexadecimal
    /// digits for each byte.
    private enum Escaping {
        private static let longest = 300
        private static let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:,/()'".utf8)
        private static let digits = Array("0123456789abcdef".utf8)

        static func escaped(_ text: String) -> String {
            var bytes: [UInt8] = []
            for byte in text.utf8.prefix(longest) {
                if plain.contains(byte) {
                    bytes.append(byte)
                } else {
                    bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// What cannot be read stands as it is.
        static func text(of escaped: Substring) -> String {
            var bytes: [UInt8] = []
            var rest = escaped.utf8[...]
            while let byte = rest.popFirst() {
                let next = rest.prefix(2)
                if byte == UInt8(ascii: "%"), next.count == 2,
                    let value = UInt8(String(decoding: next, as: UTF8.self), radix: 16)
                {
                    bytes.append(value)
                    rest = rest.dropFirst(2)
                } else {
                    bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
