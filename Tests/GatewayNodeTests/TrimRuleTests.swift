import GatewayNode
import Testing

@Suite struct TrimRuleTests {
    private var rule = TrimRule()

    private mutating func looks(_ mebibytes: [Int]) -> [Bool] {
        mebibytes.map { rule.looked(residentBytes: $0 << 20) }
    }

    @Test mutating func `a node at rest, and one that grows a little, is left alone`() {
        #expect(looks([40, 42, 48, 60, 60]) == [false, false, false, false, false])
    }

    @Test mutating func `memory is given back once a peak does not grow any more`() {
        #expect(looks([40, 500, 1800, 1800]) == [false, false, false, true])
    }

    @Test mutating func `what is left after it is in use, and no reason to try again`() {
        #expect(looks([40, 400, 400]).last == true)
        rule.trimmed(residentBytes: 390 << 20)
        #expect(looks([390, 395, 400, 400]) == [false, false, false, false])
        #expect(looks([600, 600]) == [false, true])
    }

    @Test mutating func `a node that has become smaller by itself is measured by that`() {
        #expect(looks([40, 400, 400]).last == true)
        rule.trimmed(residentBytes: 390 << 20)
        #expect(looks([50, 100, 100]) == [false, false, true])
    }
}
