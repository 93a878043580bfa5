import Foundation

extension BenchReport {
    /// The report for a terminal.
    package var table: String {
        var lines = [title] + settings.map { "  \($0)" } + [""]
        let rows = figures.map { [$0.name, NumberText.of($0.value), $0.unit] }
        lines += TextTable.lines(rows, alignRight: [1])
        if !steps.isEmpty {
            lines.append("")
            let head = [
                "connections", "deliveries/s", "p50 ms", "p99 ms", "errors %", "server %", "redis %", "MiB", "",
            ]
            lines += TextTable.lines(
                [head]
                    + steps.map { step in
                        [
                            String(step.connections), NumberText.of(step.deliveriesPerSecond),
                            NumberText.of(step.p50Milliseconds), NumberText.of(step.p99Milliseconds),
                            NumberText.of(step.errorPercent), NumberText.of(step.serverPercent),
                            NumberText.of(step.redisPercent), NumberText.of(step.serverMiB), step.broken ?? "",
                        ]
                    }, alignRight: Set(0...7))
        }
        lines.append("")
        lines += notes
        lines += faults.isEmpty ? ["no faults"] : ["FAULTS"] + faults.map { "  \($0)" }
        return lines.joined(separator: "\n")
    }

    /// The report as one JSON object.
    package var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}

/// Columns of text.
enum TextTable {
    static func lines(_ rows: [[String]], alignRight: Set<Int>) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, text in
                let space = String(repeating: " ", count: widths[column] - text.count)
                return alignRight.contains(column) ? space + text : text + space
            }
            let line = "  " + cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}

/// Numbers with as many digits as they deserve.
enum NumberText {
    static func of(_ value: Double) -> String {
        let size = abs(value)
        if value == value.rounded(), size < 1e15 { return String(Int64(value)) }
        return String(format: size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : size >= 0.1 ? "%.2f" : "%.4f", value)
    }
}
