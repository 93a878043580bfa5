import RedisBackend
import Testing

@Suite("How full Redis may be")
struct MemoryBudgetTests {
    @Test func `a budget is a share of Redis's limit, or bytes whether it has one or not`() {
        #expect(MemoryBudget.share(percent: 80).limit(maxMemory: 1000) == 800)
        #expect(MemoryBudget.share(percent: 100).limit(maxMemory: .max) == Int.max / 100 * 100)
        #expect(MemoryBudget.share(percent: 80).limit(maxMemory: 0) == nil)
        #expect(MemoryBudget.bytes(5).limit(maxMemory: 0) == 5)
        #expect(MemoryBudget.off.limit(maxMemory: 1000) == nil)
    }

    @Test func `messages are refused from the budget on, and taken again a little below it`() {
        var gauge = MemoryGauge(budget: .share(percent: 80))
        func usage(_ used: Int, of max: Int = 1_000_000) -> MemoryUsage { MemoryUsage(used: used, max: max) }
        #expect(gauge.answered(usage(799_999)) == .none && !gauge.isFull)
        #expect(gauge.answered(usage(800_000)) == .filled && gauge.isFull)
        #expect(gauge.answered(usage(790_000)) == .none && gauge.isFull)
        #expect(gauge.answered(usage(783_999)) == .emptied && !gauge.isFull)
        #expect(gauge.answered(usage(790_000)) == .none && !gauge.isFull)
        #expect(gauge.answered(usage(900_000)) == .filled)
        // Somebody has given Redis more.
        #expect(gauge.answered(usage(900_000, of: 2_000_000)) == .emptied)
    }

    @Test func `a share of no limit holds nothing back, which is said once`() {
        var gauge = MemoryGauge(budget: .share(percent: 80))
        #expect(gauge.answered(MemoryUsage(used: 1 << 40, max: 0)) == .limitless)
        #expect(gauge.answered(MemoryUsage(used: 1 << 40, max: 0)) == .none && !gauge.isFull)
        #expect(gauge.answered(MemoryUsage(used: 900, max: 1000)) == .filled)
        #expect(gauge.answered(MemoryUsage(used: 900, max: 0)) == .emptied)
        var off = MemoryGauge(budget: .off)
        #expect(off.answered(MemoryUsage(used: 999, max: 1000)) == .none && !off.isFull)
        #expect(off.room(MemoryUsage(used: 999, max: 1000)) == .max)
    }

    @Test func `the nearer the budget, the fewer bytes are written before Redis is asked again`() {
        var gauge = MemoryGauge(budget: .bytes(100 << 20))
        let (far, near) = (MemoryUsage(used: 0, max: 0), MemoryUsage(used: 99 << 20, max: 0))
        _ = gauge.answered(far)
        #expect(gauge.room(far) == 25 << 20)
        #expect(gauge.room(near) == MemoryGauge.leastRoom)
    }

    @Test func `of several servers each refuses for its own partitions, and what was heard of a silent one holds`() {
        var gauges = MemoryGauges(budget: .share(percent: 80))
        let low = PartitionSet(bits: 0xFFFF), high = PartitionSet.all.subtracting(low)
        func hear(_ first: Int?, _ second: Int?) -> [String] {
            let answers = [("a", low, first), ("b", high, second)].map { server, partitions, used in
                MemoryGauges.Reading(
                    server: server, partitions: partitions, usage: used.map { MemoryUsage(used: $0, max: 100 << 20) })
            }
            return gauges.answered(answers).map { "\($0.reading.server) \($0.change)" }
        }
        #expect(hear(0, 70 << 20) == [] && gauges.full.isEmpty)
        #expect(gauges.room == (10 << 20) / 4 && gauges.fullest?.usage.used == 70 << 20)
        #expect(hear(0, 80 << 20) == ["b filled"] && gauges.full == high)
        #expect(hear(0, nil) == [] && gauges.full == high && gauges.room == 20 << 20)
        #expect(hear(90 << 20, nil) == ["a filled"] && gauges.full == .all)
        #expect(hear(0, 0) == ["a emptied", "b emptied"] && gauges.full.isEmpty)
        #expect(hear(0, 90 << 20) == ["b filled"])
        // It has left, and what it had lies elsewhere.
        let alone = MemoryGauges.Reading(
            server: "a", partitions: .all, usage: MemoryUsage(used: 0, max: 100 << 20))
        #expect(gauges.answered([alone]).isEmpty && gauges.full.isEmpty)
    }

    @Test func `INFO tells what counts and what is allowed`() {
        let fields = [
            "# Memory", "used_memory:1000", "used_memory_peak:9", "maxmemory:5000", "mem_not_counted_for_evict:200",
        ]
        let text = fields.joined(separator: "\r\n")
        #expect(MemoryUsage(info: text) == MemoryUsage(used: 800, max: 5000))
        #expect(MemoryUsage(info: "used_memory:7\n") == MemoryUsage(used: 7, max: 0))
        #expect(MemoryUsage(info: "maxmemory:5\n") == nil)
    }
}
