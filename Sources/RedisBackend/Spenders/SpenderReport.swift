import GatewayCore

/// The report of a node on those who spend most on it: a line each, `<kind> <bytes in> <bytes out> <ns of Redis> <ns of
/// cores> <name>`. Names hold no line breaks: they are control characters.
package enum SpenderReport {
    private static let letters: [(letter: String, kind: SpenderKind)] = [
        ("u", .users), ("r", .rooms), ("a", .addresses),
    ]

    package static func encode(_ spenders: [SpenderKind: [Spender]]) -> String {
        var text = ""
        for (letter, kind) in letters {
            for spender in spenders[kind] ?? [] {
                let spending = spender.spending
                text += """
                    \(letter) \(spending.bytesIn) \(spending.bytesOut) \(spending.redisNanoseconds) \
                    \(spending.processorNanoseconds) \(spender.name)\n
                    """
            }
        }
        return text
    }

    /// Those of one kind; lines that cannot be read are passed over.
    package static func decode(_ text: String, _ kind: SpenderKind) -> [Spender] {
        let letter = letters.first { $0.kind == kind }?.letter
        // By bytes: a name that begins with a combining character is one with the blank before it to Swift's strings.
        return text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: false)
                .map { String(Substring($0)) }
            let numbers = fields.dropFirst().prefix(4).compactMap { Int($0) }
            guard fields.count == 6, fields[0] == letter, numbers.count == 4 else { return nil }
            return Spender(
                name: fields[5],
                spending: Spending(
                    bytesIn: numbers[0], bytesOut: numbers[1], redisNanoseconds: numbers[2],
                    processorNanoseconds: numbers[3]))
        }
    }
}
