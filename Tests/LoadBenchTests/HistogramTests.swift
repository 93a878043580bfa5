import Foundation
import LoadBench
import Testing

@Suite struct HistogramTests {
    @Test func `small values are kept exactly`() {
        var histogram = Histogram()
        for value in 1...100 { histogram.record(UInt64(value)) }
        #expect(histogram.count == 100)
        #expect(histogram.quantile(0.5) == 50)
        #expect(histogram.quantile(0.99) == 99)
        #expect(histogram.quantile(1) == 100)
        #expect(histogram.mean == 50.5)
        #expect(histogram.max == 100)
    }

    @Test func `any value lies in its bucket, and a bucket is at most 1.6 % wide`() throws {
        var value: UInt64 = 1
        while value < 1 << 40 {
            for near in [value - 1, value, value + value / 3] {
                var histogram = Histogram()
                histogram.record(near)
                let bucket = try #require(histogram.buckets.first)
                #expect(bucket.lowest <= near && near <= bucket.highest)
                #expect(Double(bucket.highest - bucket.lowest) <= Double(max(1, near)) * 0.016)
            }
            value *= 2
        }
    }

    @Test func `the buckets of neighbouring values leave no hole`() {
        var histogram = Histogram()
        for value in stride(from: UInt64(0), through: 5000, by: 1) { histogram.record(value) }
        let buckets = histogram.buckets
        for (low, high) in zip(buckets, buckets.dropFirst()) { #expect(low.highest + 1 == high.lowest) }
        #expect(buckets.reduce(0) { $0 + $1.count } == 5001)
    }

    @Test func `no quantile is above the largest value, and none is without values`() {
        var histogram = Histogram()
        #expect(histogram.quantile(0.99) == 0)
        histogram.record(1_000_003)
        #expect(histogram.quantile(0.5) == 1_000_003)
        histogram.record(.max)
        #expect(histogram.max == .max)
        #expect(histogram.count == 2)
    }

    @Test func `two histograms added count as one that saw both, also after travelling as JSON`() throws {
        var one = Histogram()
        var other = Histogram()
        var both = Histogram()
        for value in 0..<2000 {
            let nanoseconds = UInt64(value) * 7919
            if value.isMultiple(of: 3) { one.record(nanoseconds) } else { other.record(nanoseconds) }
            both.record(nanoseconds)
        }
        let travelled = try JSONDecoder().decode(Histogram.self, from: JSONEncoder().encode(other))
        #expect(travelled == other)
        one.add(travelled)
        #expect(one == both)
    }
}
