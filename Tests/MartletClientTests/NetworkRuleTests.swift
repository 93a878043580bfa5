import MartletClient
import Testing

/// When a client connects anew because the system says so.
@Suite struct NetworkRuleTests {
    private func path(_ interfaces: String...) -> NetworkRule.Path {
        NetworkRule.Path(isReachable: !interfaces.isEmpty, interfaces: interfaces)
    }

    private func answers(_ paths: NetworkRule.Path...) -> [Bool] {
        var rule = NetworkRule()
        return paths.map { rule.changed(to: $0) }
    }

    @Test func `the first path is where a client begins, and one more below it changes nothing`() {
        #expect(answers(path("en0"), path("en0", "pdp_ip0"), path("en0")) == [false, false, false])
        #expect(answers(path(), path("en0")) == [false, true])
    }

    @Test func `another network in front, and any after none, is a reason to connect anew`() {
        #expect(answers(path("en0", "pdp_ip0"), path("pdp_ip0"), path("en0", "pdp_ip0")) == [false, true, true])
        #expect(answers(path("en0"), path(), path("en0")) == [false, false, true])
    }

    @Test func `an app that was off the screen for a while connects anew, once`() {
        var rule = NetworkRule()
        let now = ContinuousClock.now
        let answers = [
            rule.returned(at: now),
            {
                rule.left(at: now); return rule.returned(at: now + .seconds(4))
            }(),
            {
                rule.left(at: now); return rule.returned(at: now + .seconds(5))
            }(),
            rule.returned(at: now + .seconds(60)),
        ]
        #expect(answers == [false, false, true, false])
    }
}
