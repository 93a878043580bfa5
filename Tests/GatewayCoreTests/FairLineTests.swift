import GatewayCore
import Testing

@Suite("A line in shares")
struct FairLineTests {
    private static func line(_ waiting: [(String, Int)]) -> FairLine<String, Int> {
        var line = FairLine<String, Int>()
        for (lane, element) in waiting { line.append(element, to: lane) }
        return line
    }

    private static func all(_ line: inout FairLine<String, Int>) -> [Int] {
        var taken: [Int] = []
        while let next = line.takeFirst(where: { _ in true }, isThere: { _ in true }) { taken.append(next) }
        return taken
    }

    @Test func `lanes take turns, and within one the first to come is the first to go`() {
        var line = Self.line([("a", 1), ("a", 2), ("a", 3), ("b", 10), ("c", 20), ("b", 11)])
        #expect(Self.all(&line) == [1, 10, 20, 2, 11, 3])
        line.append(4, to: "a")
        #expect(Self.all(&line) == [4])
        #expect(Self.all(&line).isEmpty)
    }

    @Test func `a lane that may not go is passed over and keeps its turn`() {
        var line = Self.line([("a", 1), ("b", 10), ("c", 20), ("a", 2)])
        #expect(line.takeFirst(where: { $0 != "a" }, isThere: { _ in true }) == 10)
        #expect(line.takeFirst(where: { $0 == "d" }, isThere: { _ in true }) == nil)
        #expect(Self.all(&line) == [1, 20, 2])
    }

    @Test func `those that have left the line cost their lane no turn`() {
        var line = Self.line([("a", 1), ("a", 2), ("a", 3), ("b", 10), ("c", 20)])
        #expect(line.takeFirst(where: { _ in true }, isThere: { ![1, 2, 10].contains($0) }) == 3)
        #expect(line.takeFirst(where: { _ in true }, isThere: { ![1, 2, 10].contains($0) }) == 20)
        #expect(Self.all(&line).isEmpty)
    }

    @Test func `thousands of lanes and of elements come out in their order`() {
        var line = Self.line((0..<3000).map { ("lane \($0)", $0) } + (3000..<6000).map { ("lane 7", $0) })
        let taken = Self.all(&line)
        #expect(taken == Array(0..<6000))
    }
}
