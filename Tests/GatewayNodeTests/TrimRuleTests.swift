import GatewayNode
import Testing

@Suite struct TrimRuleTests {
    private var rule = TrimRule()

    private mutating func looks(_ mebibytes: [Int]) -> [Bool] {
        mebibytes.map { rule.looked(residentBytes: $0 << 20) }
    }

    @Test("a node at rest, and one that grows a little, is left alone")
    mutating func rest() {
        #expect(looks([40, 42, 48, 60, 60]) == [false, false, false, false, false])
    }

    @Test("memory is given back once a peak does not grow any more")
    mutating func peak() {
        #expect(looks([40, 500, 1800, 1800]) == [false, false, false, true])
    }

    @Test("what is left after it is in use, and no reason to try again")
    mutating func used() {
        #expect(looks([40, 400, 400]).last == true)
        rule.trimmed(residentBytes: 390 << 20)
        #expect(looks([390, 395, 400, 400]) == [false, false, false, false])
        #expect(looks([600, 600]) == [false, true])
    }

    @Test("a node that has become smaller by itself is measured by that")
    mutating func smaller() {
        #expect(looks([40, 400, 400]).last == true)
        rule.trimmed(residentBytes: 390 << 20)
        #expect(looks([50, 100, 100]) == [false, false, true])
    }
}
