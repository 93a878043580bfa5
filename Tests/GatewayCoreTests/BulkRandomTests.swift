import GatewayCore
import Testing

@Suite struct BulkRandomTests {
    @Test func `no number comes twice, within what was fetched at once and beyond it`() {
        let numbers = (0..<1000).map { _ in BulkRandom.names.next() }
        #expect(Set(numbers).count == 1000)
        #expect(numbers.reduce(0, |) == .max && numbers.reduce(.max, &) == 0)
    }

    @Test func `many who ask at once are given different numbers`() async {
        let numbers = await withTaskGroup(of: [UInt64].self) { tasks in
            for _ in 0..<8 { tasks.addTask { (0..<500).map { _ in BulkRandom.names.next() } } }
            return await tasks.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(numbers).count == 4000)
    }
}
