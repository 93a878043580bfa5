/// Counts values in log-linear buckets: exact below 128, then 64 buckets for each power of two, so within 1.6 %.
///
/// Meant for nanoseconds: what is above 2^41 (36 minutes) counts in the last bucket, its maximum is kept exactly.
package struct Histogram: Sendable, Equatable {
    /// One bucket that holds something: its values are `lowest...highest`.
    package struct Bucket: Sendable, Equatable {
        package var lowest: UInt64
        package var highest: UInt64
        package var count: Int
    }

    package private(set) var count = 0
    package private(set) var max: UInt64 = 0
    private var sum: UInt64 = 0
    private var counts: [Int]

    private static let half: UInt64 = 64
    private static let shifts = 34
    private static let bucketCount = Int(half) * (shifts + 2)

    package init() {
        counts = Array(repeating: 0, count: Histogram.bucketCount)
    }

    package mutating func record(_ value: UInt64) {
        counts[Histogram.index(of: value)] += 1
        count += 1
        sum &+= value
        if value > max { max = value }
    }

    /// Adds what another one counted.
    package mutating func add(_ other: Histogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        sum &+= other.sum
        max = Swift.max(max, other.max)
    }

    package var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    /// The value that this part of all values (0 to 1) do not exceed, at most 1.6 % too high; 0 without any.
    package func quantile(_ part: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let wanted = Swift.min(count, Swift.max(1, Int((part * Double(count)).rounded(.up))))
        var seen = 0
        for (index, bucket) in counts.enumerated() {
            seen += bucket
            if seen >= wanted { return Swift.min(max, Histogram.range(of: index).upperBound) }
        }
        return max
    }

    /// What is not empty, from low to high.
    package var buckets: [Bucket] {
        counts.enumerated().compactMap { index, count in
            guard count > 0 else { return nil }
            let range = Histogram.range(of: index)
            return Bucket(lowest: range.lowerBound, highest: range.upperBound, count: count)
        }
    }

    private static func index(of value: UInt64) -> Int {
        guard value >= 2 * half else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - 6
        return Swift.min(bucketCount - 1, shift * Int(half) + Int(value >> UInt64(shift)))
    }

    private static func range(of index: Int) -> ClosedRange<UInt64> {
        guard index >= 2 * Int(half) else { return UInt64(index)...UInt64(index) }
        let shift = UInt64(index / Int(half) - 1)
        let lowest = (UInt64(index) - shift * half) << shift
        return lowest...(lowest + (1 << shift) - 1)
    }
}

/// Travels sparse: pairs of bucket and count.
extension Histogram: Codable {
    private enum Key: CodingKey {
        case max, sum, buckets
    }

    package init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: Key.self)
        max = try container.decode(UInt64.self, forKey: .max)
        sum = try container.decode(UInt64.self, forKey: .sum)
        for pair in try container.decode([[Int]].self, forKey: .buckets) {
            guard pair.count == 2, counts.indices.contains(pair[0]), pair[1] >= 0 else {
                throw DecodingError.dataCorruptedError(forKey: .buckets, in: container, debugDescription: "no bucket")
            }
            counts[pair[0]] += pair[1]
            count += pair[1]
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(max, forKey: .max)
        try container.encode(sum, forKey: .sum)
        try container.encode(counts.enumerated().filter { $1 > 0 }.map { [$0, $1] }, forKey: .buckets)
    }
}
