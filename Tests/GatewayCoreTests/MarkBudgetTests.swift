import GatewayCore
import Testing

@Suite("The budget of dedupe keys")
struct MarkBudgetTests {
    private let alice = UserID(unchecked: "alice")
    private let bob = UserID(unchecked: "bob")
    private let start = MonotonicTime(nanoseconds: 1)

    @Test
    func `a user may use as many at once as are remembered, and is told when there is one again; others are apart`() {
        var budget = MarkBudget(limit: 120, life: .seconds(120))
        for _ in 0..<120 { #expect(budget.spend(alice, now: start) == nil) }
        #expect(budget.spend(alice, now: start) == .seconds(1))
        #expect(budget.spend(bob, now: start) == nil)
        #expect(budget.spend(alice, now: start + .milliseconds(400)) == .milliseconds(600))
        #expect(budget.spend(alice, now: start + .seconds(1)) == nil)
        #expect(budget.spend(alice, now: start + .seconds(1)) == .seconds(1))
        for _ in 0..<120 { #expect(budget.spend(alice, now: start + .seconds(200)) == nil) }
    }

    @Test(arguments: [1, 7, 100])
    func `within the life of a key a user never uses more than twice as many`(limit: Int) {
        var budget = MarkBudget(limit: limit, life: .seconds(120))
        var used: [MonotonicTime] = []
        for step in 0..<4000 {
            let now = start + .milliseconds(step * 100)
            if budget.spend(alice, now: now) == nil { used.append(now) }
            #expect(used.count { $0 + .seconds(120) > now } <= 2 * limit)
        }
    }

    @Test func `users who have rested cost nothing`() {
        var budget = MarkBudget(limit: 100, life: .seconds(120))
        for number in 0..<100_000 {
            _ = budget.spend(UserID(unchecked: "u\(number)"), now: start + .milliseconds(number))
        }
        // Each is owed one key for 1.2 s.
        #expect(budget.count < 5000)
    }

    @Test func `without a limit nothing is refused or noted`() {
        var budget = MarkBudget(limit: 0, life: .seconds(120))
        for _ in 0..<1000 { #expect(budget.spend(alice, now: start) == nil) }
        #expect(budget.count == 0)
    }
}
