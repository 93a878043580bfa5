import GatewayCore
import Testing

@Suite
struct BudgetTests {
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)
    /// 10 ms a second: what costs 1 ms is back after 100 ms.
    private let allowance = Allowance(perSecond: .milliseconds(10))
    private static let millisecond = 1_000_000

    @Test func `five seconds' worth can be spent at once, and after that as much as comes back`() {
        var budget = Budget(now: start)
        for _ in 1...50 {
            #expect(budget.wait(now: start) == nil)
            budget.spend(Self.millisecond, now: start, allowance)
        }
        #expect(budget.wait(now: start) == nil)
        budget.spend(Self.millisecond, now: start, allowance)
        #expect(budget.wait(now: start) == .milliseconds(100))
        #expect(budget.wait(now: start + .milliseconds(99)) == .milliseconds(1))
        #expect(budget.wait(now: start + .milliseconds(100)) == nil)
    }

    @Test func `whoever has anything left gets what is dear, and then waits until it is paid off`() {
        var budget = Budget(now: start)
        budget.spend(100 * Self.millisecond, now: start, allowance)
        #expect(budget.wait(now: start) == .seconds(5))
        #expect(budget.wait(now: start + .seconds(5)) == nil)
    }

    @Test func `a rest saves up no more than five seconds' worth`() {
        var budget = Budget(now: start)
        budget.spend(Self.millisecond, now: start, allowance)
        #expect(!budget.isFull(now: start + .milliseconds(99)))
        #expect(budget.isFull(now: start + .milliseconds(100)))
        let later = start + .seconds(3600)
        budget.spend(60 * Self.millisecond, now: later, allowance)
        #expect(budget.wait(now: later) == .seconds(1))
    }

    @Test func `a debt ends after a minute, however great the price was`() {
        var budget = Budget(now: start)
        for _ in 1...3 { budget.spend(.max, now: start, allowance) }
        #expect(budget.wait(now: start) == .seconds(60))
    }

    @Test func `what was paid for and not needed comes back`() {
        var budget = Budget(now: start)
        budget.spend(60 * Self.millisecond, now: start, allowance)
        budget.spend(-10 * Self.millisecond, now: start, allowance)
        #expect(budget.wait(now: start) == nil)
    }

    @Test func `without a limit nothing is ever lacking`() {
        var budget = Budget(now: start)
        budget.spend(.max, now: start, .unlimited)
        #expect(budget.isFull(now: start))
    }
}

/// What a connection is told before each frame.
@Suite
struct ConnectionBudgetTests {
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)
    private let allowance = Allowance(perSecond: .milliseconds(10))

    private func spent(_ milliseconds: Int) -> ConnectionBudget {
        var budget = ConnectionBudget(now: start)
        _ = budget.spend(
            Spending(processorNanoseconds: milliseconds * 1_000_000), now: start, allowance)
        return budget
    }

    @Test func `a frame that will be paid for within two seconds waits for that long and is served`() {
        var budget = spent(60)
        #expect(budget.admit(now: start) == .waits(.seconds(1)))
        #expect(budget.admit(now: start + .seconds(1), after: .wait) == .served)
    }

    @Test func `one that will not waits for two seconds, and its request is refused with the time that is left`() {
        var budget = spent(100)
        #expect(budget.admit(now: start) == .waits(.seconds(2)))
        #expect(budget.admit(now: start + .seconds(2), after: .wait) == .refused(retryAfter: .seconds(3)))
        #expect(budget.admit(now: start + .seconds(2)) == .waits(.seconds(2)))
        #expect(budget.admit(now: start + .seconds(5), after: .wait) == .served)
    }

    @Test func `what waited with it is refused with it, and counts as one wait in vain`() {
        var budget = spent(100)
        #expect(budget.admit(now: start + .seconds(2), after: .wait) == .refused(retryAfter: .seconds(3)))
        for _ in 1...100 {
            #expect(budget.admit(now: start + .seconds(2), after: .refusal) == .refused(retryAfter: .seconds(3)))
        }
        #expect(budget.admit(now: start + .seconds(4), after: .wait) == .refused(retryAfter: .seconds(1)))
    }

    @Test func `who is let in begins anew, whatever it owed as a stranger`() {
        var budget = spent(100)
        budget.block(for: .seconds(60), now: start)
        budget.welcome(now: start)
        #expect(budget.admit(now: start) == .served)
    }

    @Test func `twenty waits in vain without a credit between them are the end of patience`() {
        var budget = spent(100)
        for _ in 1...20 { #expect(budget.admit(now: start, after: .wait) == .refused(retryAfter: .seconds(5))) }
        #expect(budget.admit(now: start, after: .wait) == .exhausted)
    }

    @Test func `a client that rests until it has credit is forgiven`() {
        var budget = spent(100)
        for _ in 1...20 { _ = budget.admit(now: start, after: .wait) }
        #expect(budget.admit(now: start + .seconds(5)) == .served)
        _ = budget.spend(Spending(bytesOut: 60_000_000), now: start + .seconds(5), allowance)
        #expect(budget.admit(now: start + .seconds(5), after: .wait) == .refused(retryAfter: .seconds(6)))
    }

    @Test func `a stranger that has nothing left neither waits nor is refused: it is closed`() {
        var budget = spent(60)
        #expect(budget.admit(now: start, isStranger: true) == .exhausted)
        #expect(budget.admit(now: start + .seconds(1), isStranger: true) == .served)
    }

    @Test func `small change is gathered, and told once it has become much or at the end`() {
        var budget = ConnectionBudget(now: start)
        let little = Spending(bytesIn: 10, processorNanoseconds: 999_999)
        #expect(budget.spend(little, now: start, allowance) == nil)
        #expect(budget.spend(little, now: start, allowance) == nil)
        #expect(
            budget.spend(little, now: start, allowance)
                == Spending(bytesIn: 30, processorNanoseconds: 2_999_997))
        #expect(budget.takeUncharged() == nil)
        _ = budget.spend(little, now: start, allowance)
        #expect(budget.takeUncharged() == little)
    }

    @Test func `whoever is blocked by others waits for them, however much it has itself`() {
        var budget = ConnectionBudget(now: start)
        budget.block(for: .seconds(1), now: start)
        #expect(budget.admit(now: start) == .waits(.seconds(1)))
        #expect(budget.admit(now: start + .seconds(1)) == .served)
    }
}

/// What the connections of a node have in common.
@Suite
struct SharedBudgetsTests {
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)
    private let alice = UserID(unchecked: "alice")
    private let bob = UserID(unchecked: "bob")
    private let room = RoomName(unchecked: "r")

    @Test func `the connections of one user spend together, and another user notices nothing`() {
        let budgets = SharedBudgets(settings: BudgetSettings(), now: start)
        let second = Spending(processorNanoseconds: 1_000_000_000)
        #expect(budgets.spend(second, by: alice, at: nil, now: start) == nil)
        #expect(budgets.spend(second, by: alice, at: nil, now: start) == .seconds(5))
        #expect(budgets.wait(for: alice, now: start + .seconds(2)) == .seconds(3))
        #expect(budgets.spend(second, by: bob, at: nil, now: start) == nil)
    }

    @Test func `strangers of one address spend together, and one more that comes finds nothing left`() throws {
        let budgets = SharedBudgets(settings: BudgetSettings(), now: start)
        let address = try #require(IPAddress("192.0.2.7"))
        let much = Spending(processorNanoseconds: 200_000_000)
        #expect(budgets.spend(much, by: nil, at: address, now: start) == nil)
        #expect(budgets.wait(forStrangersAt: address, now: start) == nil)
        #expect(budgets.spend(much, by: nil, at: address, now: start) == .seconds(5))
        #expect(budgets.wait(forStrangersAt: address, now: start + .seconds(1)) == .seconds(4))
        #expect(budgets.wait(forStrangersAt: IPAddress("192.0.2.8"), now: start) == nil)
        let loopback = try #require(IPAddress("127.0.0.1"))
        for _ in 1...9 { #expect(budgets.spend(much, by: nil, at: loopback, now: start) == nil) }
        #expect(budgets.spend(Spending(), by: alice, at: address, now: start) == nil)
    }

    @Test func `the connections of one user join ten times as often as one of them may, and no more`() {
        let budgets = SharedBudgets(settings: BudgetSettings(), now: start)
        for _ in 1...500 { #expect(budgets.join(by: alice, now: start) == nil) }
        #expect(budgets.join(by: alice, now: start) == .milliseconds(10))
        #expect(budgets.join(by: bob, now: start) == nil)
        #expect(budgets.join(by: alice, now: start + .seconds(5)) == nil)
    }

    @Test func `what Redis keeps of a user's messages is bounded over many minutes`() {
        let budgets = SharedBudgets(settings: BudgetSettings(user: .unlimited, node: .unlimited), now: start)
        let mebibyte = Spending(storedBytes: 1 << 20)
        for _ in 1...62 { #expect(budgets.spend(mebibyte, by: alice, at: nil, now: start) == nil) }
        #expect(budgets.spend(mebibyte, by: alice, at: nil, now: start) == .seconds(8))
        #expect(budgets.spend(Spending(processorNanoseconds: 1), by: alice, at: nil, now: start) == nil)
        #expect(budgets.spend(mebibyte, by: bob, at: nil, now: start) == nil)
        #expect(budgets.spend(mebibyte, by: alice, at: nil, now: start + .seconds(600)) == nil)
    }

    @Test func `what goes out to a room is spent by all who send there`() {
        let budgets = SharedBudgets(settings: BudgetSettings(), now: start)
        let gigabyte = Spending(bytesOut: 1_000_000_000)
        #expect(budgets.spend(gigabyte, in: room, now: start) == nil)
        #expect(budgets.spend(gigabyte, in: room, now: start) == nil)
        #expect(budgets.spend(gigabyte, in: room, now: start) == .milliseconds(2500))
        #expect(budgets.spend(gigabyte, in: RoomName(unchecked: "q"), now: start) == nil)
    }

    @Test func `the time of Redis is the whole node's`() {
        let budgets = SharedBudgets(settings: BudgetSettings(user: .unlimited), now: start)
        let much = Spending(redisNanoseconds: 3_750_000_000, processorNanoseconds: 1)
        #expect(budgets.spend(much, by: alice, at: nil, now: start) == nil)
        #expect(
            budgets.spend(Spending(redisNanoseconds: 750_000_000), by: bob, at: nil, now: start) == .milliseconds(250),
            "for the others' debt nobody waits long")
        #expect(budgets.nodeWait(now: start + .milliseconds(400)) == .milliseconds(600))
        #expect(budgets.nodeWait(now: start + .seconds(1)) == nil)
    }

    @Test func `whoever has saved up all is forgotten, when it comes again or when others come`() {
        let budgets = SharedBudgets(settings: BudgetSettings(), now: start)
        let little = Spending(processorNanoseconds: 2_000_000)
        for index in 0..<5000 {
            _ = budgets.spend(little, by: UserID(unchecked: "u\(index)"), at: nil, now: start)
        }
        #expect(budgets.keptCount == 5000)
        let later = start + .milliseconds(10)
        #expect(budgets.wait(for: UserID(unchecked: "u1"), now: later) == nil)
        #expect(budgets.keptCount == 4999)
        for index in 0..<5000 {
            _ = budgets.spend(little, by: UserID(unchecked: "v\(index)"), at: nil, now: later)
        }
        #expect(budgets.keptCount < 7000)
    }

    @Test func `as many debtors as there may be are kept, and no more`() {
        let budgets = SharedBudgets(settings: BudgetSettings(), now: start)
        for index in 0..<100_000 {
            _ = budgets.spend(
                Spending(processorNanoseconds: 2_000_000), by: UserID(unchecked: "u\(index)"), at: nil, now: start)
        }
        #expect(budgets.keptCount == 16 * 4096)
        // They are looked through again once their debts are paid.
        let later = start + .seconds(1)
        for index in 0..<1000 {
            _ = budgets.spend(
                Spending(processorNanoseconds: 2_000_000), by: UserID(unchecked: "v\(index)"), at: nil, now: later)
        }
        #expect(budgets.keptCount == 1000)
    }

    @Test func `where nothing is limited nothing is kept`() {
        let settings = BudgetSettings(
            stranger: .unlimited, connection: .unlimited, user: .unlimited, room: .unlimited, node: .unlimited)
        let budgets = SharedBudgets(settings: settings, now: start)
        let much = Spending(bytesOut: 1 << 50, redisNanoseconds: 1 << 50)
        #expect(budgets.spend(much, by: alice, at: nil, now: start) == nil)
        #expect(budgets.spend(much, in: room, now: start) == nil)
        #expect(budgets.keptCount == 0)
    }
}

/// That the defaults serve who is busy and honest.
@Suite
struct HonestLoadTests {
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)
    private let settings = BudgetSettings()

    /// Whether a connection, alone of its user, may do this so often a second for two minutes.
    private func lasts(_ spending: Spending, perSecond: Int) -> Bool {
        var connection = ConnectionBudget(now: start)
        let shared = SharedBudgets(settings: settings, now: start)
        let room = RoomName(unchecked: "r")
        for count in 0..<(120 * perSecond) {
            let now = start + .nanoseconds(1_000_000_000 / perSecond * count)
            guard connection.admit(now: now) == .served else { return false }
            if shared.spend(spending, in: room, now: now) != nil { return false }
            guard let due = connection.spend(spending, now: now, settings.connection) else { continue }
            if shared.spend(due, by: UserID(unchecked: "u"), at: nil, now: now) != nil { return false }
        }
        return true
    }

    private func message(_ bytes: Int, receivers: Int) -> Spending {
        Prices.received(wireBytes: bytes + 80, textBytes: bytes + 80, isCompressing: true)
            + Prices.publication(bytes: bytes, receivers: receivers)
    }

    @Test func `a whiteboard at 60 messages a second before a thousand people`() {
        #expect(lasts(message(300, receivers: 1000), perSecond: 60))
        #expect(lasts(message(1000, receivers: 500), perSecond: 60))
    }

    @Test func `a client at its whole rate of 100 messages a second in a room of 500`() {
        #expect(lasts(message(500, receivers: 500), perSecond: 100))
    }

    @Test func `a history of 1,000 messages of a kilobyte, at once`() {
        var connection = ConnectionBudget(now: start)
        for _ in 1...10 {
            #expect(connection.admit(now: start) == .served)
            let page = Prices.page(limit: 100) + Prices.logBytes(100 * 1200, isCompressing: true)
            _ = connection.spend(page, now: start, settings.connection)
        }
        #expect(connection.admit(now: start) == .served)
    }

    @Test func `a reload with 50 rooms, its rosters and a page of each room's history, at once`() {
        var connection = ConnectionBudget(now: start)
        for _ in 1...50 {
            for spending in [
                Prices.step(infoBytes: 200, receivers: 100), Prices.stream, Prices.page(limit: 100),
                Prices.page(limit: 50), Prices.logBytes(50 * 500, isCompressing: true),
            ] {
                #expect(connection.admit(now: start) == .served)
                _ = connection.spend(spending, now: start, settings.connection)
            }
        }
    }

    @Test func `twelve thousand that come back to one node within three seconds`() {
        let shared = SharedBudgets(settings: settings, now: start)
        for index in 0..<12_000 {
            let now = start + .microseconds(index * 250)
            let spending = Prices.connection + Prices.resumption(rooms: 3) + Prices.stream
            #expect(shared.spend(spending, by: UserID(unchecked: "u\(index)"), at: nil, now: now) == nil)
        }
    }

    @Test func `sixteen hundred messages of 64 KB in a minute are more than one client may send to anybody`() {
        #expect(!lasts(message(65_000, receivers: 1), perSecond: 27))
    }

    @Test func `sessions of 200 rooms are resumed by one user as often as costs a fifth of a core, and not more`() {
        let shared = SharedBudgets(settings: settings, now: start)
        var resumed = 0
        for milliseconds in 0..<60_000 {
            let now = start + .milliseconds(milliseconds)
            guard shared.wait(for: UserID(unchecked: "u"), now: now) == nil else { continue }
            resumed += 1
            _ = shared.spend(
                Prices.connection + Prices.resumption(rooms: 200), by: UserID(unchecked: "u"), at: nil, now: now)
        }
        #expect((430...480).contains(resumed))
    }
}
