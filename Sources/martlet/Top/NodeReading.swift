import Foundation

/// One node's metrics, as their text says them.
struct NodeReading: Sendable {
    let time: ContinuousClock.Instant
    /// By name and labels as they are written.
    private var values: [String: [(labels: String, value: Double)]] = [:]

    init(_ text: String, time: ContinuousClock.Instant) {
        self.time = time
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                continue
            }
            let series = line[..<space]
            let name = series.prefix { $0 != "{" }
            values[String(name), default: []].append((String(series.dropFirst(name.count)), value))
        }
    }

    var isNode: Bool { values["martlet_build_info"] != nil }

    /// The value of a label, of the first series of this name.
    func label(_ label: String, of name: String) -> String? {
        guard let labels = values[name]?.first?.labels, let start = labels.range(of: "\(label)=\"") else { return nil }
        return String(labels[start.upperBound...].prefix { $0 != "\"" })
    }

    /// All series of this name whose labels hold the text, added up; nil where there is none.
    func sum(_ name: String, where text: String = "") -> Double? {
        let fitting = values[name]?.filter { text.isEmpty || $0.labels.contains(text) }
        guard let fitting, !fitting.isEmpty else { return nil }
        return fitting.reduce(0) { $0 + $1.value }
    }

    func greatest(_ name: String) -> Double? { values[name]?.map(\.value).max() }

    /// The counts of a histogram by upper bound, rising, of all its series together.
    func buckets(_ name: String) -> [(bound: Double, count: Double)] {
        var sums: [Double: Double] = [:]
        for (labels, value) in values["\(name)_bucket"] ?? [] {
            guard let start = labels.range(of: "le=\"") else { continue }
            let text = labels[start.upperBound...].prefix { $0 != "\"" }
            sums[text == "+Inf" ? .infinity : Double(text) ?? .infinity, default: 0] += value
        }
        return sums.sorted { $0.key < $1.key }.map { (bound: $0.key, count: $0.value) }
    }
}

extension [(bound: Double, count: Double)] {
    /// What lies between two looks at the same histogram; all of it where it has begun anew.
    func since(_ before: Self) -> Self {
        guard count == before.count, zip(self, before).allSatisfy({ $0.count >= $1.count }) else { return self }
        return zip(self, before).map { (bound: $0.bound, count: $0.count - $1.count) }
    }

    func adding(_ other: Self) -> Self {
        guard count == other.count else { return isEmpty ? other : self }
        return zip(self, other).map { (bound: $0.bound, count: $0.count + $1.count) }
    }

    /// The bound below which so much of it lies, as Prometheus draws a line between bounds; nil where there is nothing.
    func quantile(_ share: Double) -> Double? {
        guard let all = last?.count, all > 0 else { return nil }
        let rank = share * all
        var lower = (bound: 0.0, count: 0.0)
        for bucket in self {
            if bucket.count >= rank {
                guard bucket.bound.isFinite else { return lower.bound }
                let inside = bucket.count - lower.count
                return inside > 0
                    ? lower.bound + (bucket.bound - lower.bound) * (rank - lower.count) / inside : bucket.bound
            }
            lower = bucket
        }
        return lower.bound
    }
}
