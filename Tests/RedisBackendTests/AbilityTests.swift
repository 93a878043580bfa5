import GatewayCore
import RedisBackend
import Testing

/// Whether a node says that it may coordinate, and how it says so.
struct AbilityTests {
    @Test func `a node that starts says that it is able as soon as it is`() {
        var ability = Ability(lease: 3000)
        #expect(ability.found(isWell: false, now: 0) == .unable)
        #expect(ability.found(isWell: false, now: 9000) == .unable)
        #expect(ability.found(isWell: true, now: 9001) == .able)
    }

    @Test func `one whose link is away says so with its next beat, and is able again after a whole lease`() {
        var ability = Ability(lease: 3000)
        #expect(ability.found(isWell: true, now: 0) == .able)
        #expect(ability.found(isWell: false, now: 1000) == .unable)
        #expect(ability.found(isWell: true, now: 2000) == .unable)
        #expect(ability.found(isWell: true, now: 4999) == .unable)
        #expect(ability.found(isWell: true, now: 5000) == .able)
        #expect(ability.found(isWell: true, now: 6000) == .able)
    }

    @Test func `one whose links come and go stays unable until they stay`() {
        var ability = Ability(lease: 3000)
        _ = ability.found(isWell: true, now: 0)
        for turn in Int64(1)...20 {
            #expect(ability.found(isWell: !turn.isMultiple(of: 3), now: turn * 1000) == (turn < 3 ? .able : .unable))
        }
        for second in Int64(21)...23 {
            #expect(ability.found(isWell: true, now: second * 1000) == (second < 22 ? .unable : .able))
        }
    }

    private func entry(_ ability: Ability.Word, _ reason: String?) -> NodeEntry? {
        let load = NodeLoad(connections: 1, rooms: 2, processor: 0.5)
        let said = NodeDescription.encode(
            .own, startedAt: 7, load: load, version: "v", ability: ability, reason: reason)
        #expect(said.hasSuffix(" able=0") == (ability == .unable && reason == nil))
        return NodeDescription.node("n1", entry: "i 5 1 99 \(said)")
    }

    @Test(arguments: ["Redis is not reached", "a=b 100% able=0", "é \u{1}\n\"", "%", "%zz"])
    func `a reason comes through the index as it was`(reason: String) {
        #expect(entry(.unable, reason)?.reason == reason)
        #expect(entry(.able, reason)?.reason == reason)
        #expect(entry(.unable, nil)?.reason == nil)
        #expect(entry(.able, nil)?.load.connections == 1)
    }

    @Test func `a long reason is cut, and one that another release spelled stands as it is`() {
        let long = String(repeating: "x", count: 5000)
        #expect(entry(.unable, long)?.reason?.count == 300)
        let said = "i 5 1 99 started=7 connections=1 rooms=2 processor=0.5 version=v reason=50%"
        #expect(NodeDescription.node("n1", entry: said)?.reason == "50%")
    }
}
