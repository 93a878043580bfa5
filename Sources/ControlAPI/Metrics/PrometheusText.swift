/// The text exposition format of Prometheus, version 0.0.4.
package enum PrometheusText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// - Parameter dropped: how often an instrument was asked for and refused.
    static func render(_ families: [String: MetricsRegistry.Family], dropped: Int64) -> String {
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += head(of: name, typeName(of: family.kind))
            for (labels, instrument) in family.series.sorted(by: { $0.key < $1.key }) {
                append(instrument, name: name, labels: labels, to: &text)
            }
        }
        text += head(of: droppedName, "counter") + "\(droppedName) \(dropped)\n"
        return text
    }

    private static let droppedName = "martlet_metrics_dropped_total"

    /// The lines that say what a family means and how it counts.
    static func head(of name: String, _ type: String) -> String {
        let help = MetricHelp.texts[name].map { "# HELP \(name) \($0)\n" } ?? ""
        return "\(help)# TYPE \(name) \(type)\n"
    }

    /// A metric's name with everything that is not allowed in one made `_`.
    static func name(_ label: String) -> String {
        identifier(label, allowing: ":")
    }

    /// `{a="b",c="d"}` in the order of the names, nothing where there are none; values are escaped and cut at 128 characters.
    static func labels(_ dimensions: [(String, String)]) -> String {
        guard !dimensions.isEmpty else { return "" }
        let pairs = dimensions.sorted { $0.0 < $1.0 }.map { name, value in
            "\(identifier(name, allowing: nil))=\"\(escaped(value.prefix(128)))\""
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    private static func typeName(of kind: MetricsRegistry.Kind) -> String {
        switch kind {
        case .counter, .floatingPointCounter: "counter"
        case .gauge: "gauge"
        case .summary: "summary"
        case .histogram: "histogram"
        }
    }

    private static func append(_ instrument: Instrument, name: String, labels: String, to text: inout String) {
        switch instrument {
        case .counter(let cell): text += "\(name)\(labels) \(cell.value)\n"
        case .observed(let read): text += "\(name)\(labels) \(number(read()))\n"
        case .floatingPointCounter(let cell), .gauge(let cell): text += "\(name)\(labels) \(number(cell.value))\n"
        case .summary(let distribution), .histogram(let distribution):
            let snapshot = distribution.snapshot
            let count = snapshot.counts.reduce(0, +)
            if !distribution.bounds.isEmpty {
                // Most of the text are these lines: what they share is put together once.
                let opening = labels.isEmpty ? "\(name)_bucket{le=\"" : "\(name)_bucket\(labels.dropLast()),le=\""
                var below = 0
                for (bound, own) in zip(distribution.boundTexts, snapshot.counts) {
                    below += own
                    text += opening
                    text += bound
                    text += "\"} "
                    text += String(below)
                    text += "\n"
                }
                text += "\(opening)+Inf\"} \(count)\n"
            }
            text += "\(name)_sum\(labels) \(number(snapshot.sum))\n\(name)_count\(labels) \(count)\n"
        }
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int(exactly: value).map(String.init) ?? "\(value)"
    }

    private static func identifier(_ text: String, allowing extra: Character?) -> String {
        var result = ""
        for character in text {
            let isLetter = character.isASCII && (character.isLetter || character == "_" || character == extra)
            let isDigit = character.isASCII && character.isNumber
            if isDigit && result.isEmpty { result = "_" }
            result.append(isLetter || isDigit ? character : "_")
        }
        return result.isEmpty ? "_" : result
    }

    private static func escaped(_ value: Substring) -> String {
        var result = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": result += #"\\"#
            case "\"": result += #"\""#
            case "\n": result += #"\n"#
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
