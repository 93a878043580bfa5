import ControlAPI
import Testing

@Suite struct HotRouteRulesTests {
    @Test func `what is not hot is the library's from its head to its end`() {
        var rules = HotRouteRules()
        #expect(rules.receivedHead(isHot: false) == .passed)
        #expect(rules.fateOfBody() == .passed)
        #expect(rules.receivedEnd() == .passed)
        #expect(rules.inputEnded() == .passed)
    }

    @Test func `a hot request is kept until it is whole, and the next one may be the library's`() {
        var rules = HotRouteRules()
        #expect(rules.receivedHead(isHot: true) == .kept)
        #expect(rules.fateOfBody() == .kept)
        #expect(rules.fateOfBody() == .kept)
        #expect(rules.receivedEnd() == .answered)
        #expect(rules.answered() == false)
        #expect(rules.receivedHead(isHot: false) == .passed)
        #expect(rules.receivedEnd() == .passed)
    }

    @Test func `behind a refusal the rest of the request is dropped`() {
        var rules = HotRouteRules()
        #expect(rules.receivedHead(isHot: true) == .kept)
        rules.refused()
        #expect(rules.fateOfBody() == .dropped)
        #expect(rules.receivedEnd() == .dropped)
        #expect(rules.answered() == false)
    }

    @Test func `the library hears of a client's end behind the answer, so that it cuts none off`() {
        var rules = HotRouteRules()
        #expect(rules.receivedHead(isHot: true) == .kept)
        #expect(rules.receivedEnd() == .answered)
        #expect(rules.inputEnded() == .postponed)
        #expect(rules.inputEnded() == .postponed)
        #expect(rules.answered() == true)
        #expect(rules.inputEnded() == .passed)
    }

    @Test func `a request that ends in its midst is answered before the library hears of it`() {
        var rules = HotRouteRules()
        #expect(rules.receivedHead(isHot: true) == .kept)
        #expect(rules.fateOfBody() == .kept)
        #expect(rules.inputEnded() == .brokenOff)
        #expect(rules.fateOfBody() == .dropped)
        #expect(rules.answered() == true)
    }
}
