import NIOCore
import RedisClient
import Testing

/// One slot, whose servers the test plays by hand.
@Suite("The way of the commands for one slot of a Cluster")
struct SlotRouteTests {
    private typealias Route = SlotRoute<Void>

    private let a = RedisConfiguration.Endpoint.tcp(host: "a", port: 1)
    private let b = RedisConfiguration.Endpoint.tcp(host: "b", port: 2)
    private var route = Self.route(.sendAgain)

    private static func route(_ policy: OnAnotherServer) -> Route {
        var configuration = RedisConfiguration()
        configuration.failFastAfter = .seconds(1)
        configuration.onAnotherServer = policy
        return Route(configuration: configuration)
    }

    private func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(0) + .milliseconds(100_000 + milliseconds)
    }

    private func words(_ actions: [Route.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .send(let command, let place): "send \(command.number)\(command.isRetry ? " again" : "") to \(place)"
            case .fail(let command, .timeout): "fail \(command.number): in doubt"
            case .fail(let command, .unavailable(let reason)): "fail \(command.number): \(reason)"
            case .fail(let command, let error): "fail \(command.number): \(error)"
            case .doubt: "doubt"
            }
        }
    }

    private mutating func submit(
        _ numbers: ClosedRange<Int64>, at time: Int64 = 0, timeout: Int64 = 5000
    ) -> [String] {
        numbers.flatMap { number in
            words(
                route.submitted(
                    Route.Command(number: number, deadline: at(time + timeout), payload: ()), now: at(time)))
        }
    }

    private mutating func mapped(_ place: RedisConfiguration.Endpoint?, at time: Int64 = 0) -> [String] {
        words(route.mapped(to: place, now: at(time)))
    }

    private mutating func answered(_ number: Int64, at time: Int64 = 0) -> [String] {
        words(route.answered(number, now: at(time)))
    }

    private mutating func refused(
        _ number: Int64, isDown: Bool = false, mayHaveRun: Bool = false, at time: Int64 = 0
    ) -> [String] {
        words(route.refused(number, isDown: isDown, mayHaveRun: mayHaveRun, now: at(time)))
    }

    private mutating func failed(_ number: Int64, at time: Int64 = 0) -> [String] {
        words(route.failed(number, now: at(time)))
    }

    private mutating func withdrawn(_ number: Int64, mayHaveRun: Bool = true, at time: Int64 = 0) -> [String] {
        words(route.withdrawn(number, mayHaveRun: mayHaveRun, now: at(time)))
    }

    private mutating func ticked(at time: Int64) -> [String] { words(route.ticked(now: at(time))) }

    // MARK: Who has the slot

    @Test mutating func `what comes before anybody is known to have the slot waits, and then all goes straight there`()
    {
        #expect(submit(1...2) == [])
        #expect(!route.isSteady && route.heldCount == 2)
        #expect(mapped(a) == ["send 1 to a:1", "send 2 to a:1"])
        #expect(route.isSteady && route.heldCount == 0 && route.target == a)
        #expect(submit(3...3) == ["send 3 to a:1"])
        #expect(mapped(a) == [])
    }

    @Test
    mutating func `while nobody has the slot commands wait a while, and later ones fail at once until somebody has`() {
        #expect(submit(1...1) == [])
        #expect(submit(2...2, at: 1000) == [])
        #expect(submit(3...3, at: 1001) == ["fail 3: no server runs anything for its slot"])
        #expect(ticked(at: 4999) == [])
        #expect(ticked(at: 5000) == ["fail 1: no server runs it in time"])
        #expect(mapped(a, at: 5001) == ["send 2 to a:1"])
        #expect(submit(4...4, at: 5002) == ["send 4 to a:1"])
        // Nobody has it again: from then on it is counted anew.
        _ = answered(2, at: 5003) + answered(4, at: 5003)
        #expect(mapped(nil, at: 9000) == [])
        #expect(submit(5...5, at: 9001) == [])
        #expect(submit(6...6, at: 10_001) == [])
        #expect(submit(7...7, at: 10_002) == ["fail 7: no server runs anything for its slot"])
    }

    @Test mutating func `what is under way is answered before anything goes to the slot's next server`() {
        _ = mapped(a) + submit(1...2)
        #expect(mapped(b) == [])
        #expect(route.strayTarget == a)
        #expect(submit(3...3) == [])
        #expect(answered(1) == [])
        #expect(answered(2) == ["send 3 to b:2"])
        #expect(route.strayTarget == nil)
    }

    @Test mutating func `a slot that has come back to its server keeps its order there`() {
        _ = mapped(a) + submit(1...1)
        #expect(mapped(b) == [])
        #expect(submit(2...2) == [])
        #expect(mapped(a) == ["send 2 to a:1"])
        #expect(route.strayTarget == nil)
        #expect(answered(1) == [] && answered(2) == [])
        #expect(submit(3...3) == ["send 3 to a:1"])
    }

    // MARK: Refusals

    @Test mutating func `from the first refusal all is held, and the oldest alone finds out whether the slot is back`()
    {
        _ = mapped(a) + submit(1...3)
        #expect(answered(1) == [])
        #expect(refused(2) == ["doubt"])
        #expect(!route.isSteady)
        #expect(submit(4...4) == [])
        #expect(refused(3) == ["doubt"])
        #expect(ticked(at: 99) == [])
        #expect(ticked(at: 100) == ["send 2 to a:1"])
        #expect(ticked(at: 150) == [])
        #expect(submit(5...5, at: 150) == [])
        // On the move yet.
        #expect(refused(2, at: 160) == ["doubt"])
        #expect(ticked(at: 259) == [])
        #expect(ticked(at: 260) == ["send 2 to a:1"])
        #expect(answered(2, at: 270) == ["send 3 to a:1", "send 4 to a:1", "send 5 to a:1"])
        #expect(route.isSteady)
    }

    @Test mutating func `refusals that come in any order are sent again in the order of the commands`() {
        _ = mapped(a) + submit(1...4)
        for number in [3, 1, 4, 2] as [Int64] { #expect(refused(number) == ["doubt"]) }
        #expect(ticked(at: 100) == ["send 1 to a:1"])
        #expect(answered(1, at: 100) == ["send 2 to a:1", "send 3 to a:1", "send 4 to a:1"])
    }

    @Test mutating func `a slot that is known to be elsewhere is tried there at once`() {
        _ = mapped(a) + submit(1...2)
        _ = refused(1) + refused(2)
        #expect(mapped(b, at: 1) == ["send 1 to b:2"])
        #expect(answered(1, at: 2) == ["send 2 to b:2"])
    }

    @Test mutating func `a refusal by the server that had the slot is no reason to wait for the one that has it`() {
        _ = mapped(a) + submit(1...2)
        #expect(refused(1) == ["doubt"])
        #expect(mapped(b, at: 1) == [])
        #expect(refused(2, at: 2) == ["doubt", "send 1 to b:2"])
        // But for its own it is.
        #expect(refused(1, at: 3) == ["doubt"])
        #expect(ticked(at: 102) == [])
        #expect(ticked(at: 103) == ["send 1 to b:2"])
    }

    @Test mutating func `what a later command has overtaken is not run after it`() {
        _ = mapped(a) + submit(1...4)
        _ = refused(1) + refused(2)
        #expect(answered(3) == (1...2).map { "fail \($0): a later command for the same slot ran first" })
        #expect(submit(5...5) == [])
        #expect(answered(4) == [])
        #expect(ticked(at: 100) == ["send 5 to a:1"])
    }

    @Test mutating func `what was overtaken and may have run before is in doubt`() {
        _ = mapped(a) + submit(1...2)
        _ = mapped(b)
        #expect(withdrawn(1) == [])
        #expect(withdrawn(2) == ["send 1 again to b:2", "send 2 again to b:2"])
        #expect(refused(1) == ["doubt"])
        #expect(answered(2) == ["fail 1: in doubt"])
    }

    @Test mutating func `a probe that fails for its caller gives way to the next command`() {
        _ = mapped(a) + submit(1...3)
        for number in 1...3 as ClosedRange<Int64> { _ = refused(number) }
        #expect(ticked(at: 100) == ["send 1 to a:1"])
        #expect(failed(1, at: 200) == [])
        #expect(ticked(at: 299) == [])
        #expect(ticked(at: 300) == ["send 2 to a:1"])
        #expect(answered(2, at: 301) == ["send 3 to a:1"])
    }

    @Test mutating func `a slot of which nothing is held any more is tried anew`() {
        _ = mapped(a) + submit(1...1, timeout: 50)
        _ = refused(1)
        #expect(ticked(at: 50) == ["fail 1: no server runs it in time"])
        #expect(ticked(at: 200) == [])
        #expect(submit(2...3, at: 300) == ["send 2 to a:1", "send 3 to a:1"])
        #expect(route.isSteady)
    }

    @Test mutating func `what its link had sent before goes elsewhere as a repetition, though it was refused there`() {
        _ = mapped(a) + submit(1...2)
        #expect(refused(1, mayHaveRun: true) == ["doubt"])
        #expect(refused(2) == ["doubt"])
        #expect(mapped(b) == ["send 1 again to b:2"])
        #expect(refused(1, at: 1) == ["doubt"])
        #expect(ticked(at: 101) == ["send 1 again to b:2"])
        #expect(answered(1, at: 102) == ["send 2 to b:2"])
    }

    // MARK: Servers that run nothing

    @Test mutating func `where the Cluster is down for a while, new commands fail at once, and old ones go on trying`()
    {
        _ = mapped(a) + submit(1...1)
        #expect(refused(1, isDown: true) == ["doubt"])
        #expect(submit(2...2, at: 1000) == ["send 1 to a:1"])
        #expect(submit(3...3, at: 1001) == ["fail 3: no server runs anything for its slot"])
        #expect(refused(1, isDown: true, at: 1002) == ["doubt"])
        #expect(ticked(at: 1102) == ["send 1 to a:1"])
        #expect(answered(1, at: 1103) == ["send 2 to a:1"])
        #expect(submit(4...4, at: 1104) == ["send 4 to a:1"])
    }

    @Test mutating func `a slot that is on the move only is not down`() {
        _ = mapped(a) + submit(1...2)
        _ = refused(1, isDown: true) + refused(2)
        #expect(submit(3...3, at: 2000) == ["send 1 to a:1"])
        #expect(submit(4...4, at: 2000) == [])
    }

    @Test mutating func `a Cluster that stands again after all that waited has failed is found by the next command`() {
        _ = mapped(a) + submit(1...1)
        _ = refused(1, isDown: true)
        #expect(ticked(at: 5000) == ["fail 1: no server runs it in time"])
        // One command finds out; nobody else waits for it.
        #expect(submit(2...3, at: 8000) == ["send 2 to a:1", "fail 3: no server runs anything for its slot"])
        #expect(refused(2, isDown: true, at: 8001) == ["doubt"])
        #expect(submit(4...4, at: 8002) == ["fail 4: no server runs anything for its slot"])
        #expect(ticked(at: 8101) == ["send 2 to a:1"])
        #expect(answered(2, at: 8102) == [])
        #expect(submit(5...5, at: 8103) == ["send 5 to a:1"])
        #expect(route.isSteady)
    }

    @Test mutating func `a Cluster that stands again is found though the command that asked it has no answer`() {
        _ = mapped(a) + submit(1...1)
        _ = refused(1, isDown: true) + ticked(at: 100) + failed(1, at: 5000)
        #expect(submit(2...2, at: 9000) == ["send 2 to a:1"])
        #expect(answered(2, at: 9001) == [])
        #expect(route.isSteady)
    }

    // MARK: Links that are lost

    @Test
    mutating func `what a lost link took back goes to the slot's next server, in its old order and as a repetition`() {
        _ = mapped(a) + submit(1...3)
        #expect(mapped(b) == [])
        #expect(submit(4...4) == [])
        #expect(withdrawn(1) == [])
        #expect(withdrawn(2) == [])
        #expect(
            withdrawn(3, mayHaveRun: false)
                == ["send 1 again to b:2", "send 2 again to b:2", "send 3 to b:2", "send 4 to b:2"])
        #expect(route.strayTarget == nil)
        // It stays a repetition, however it was taken back the second time.
        #expect(mapped(a) == [])
        _ = withdrawn(1, mayHaveRun: false) + withdrawn(2, mayHaveRun: false) + withdrawn(3, mayHaveRun: false)
        #expect(
            withdrawn(4, mayHaveRun: false)
                == ["send 1 again to a:1", "send 2 again to a:1", "send 3 to a:1", "send 4 to a:1"])
        #expect(refused(1) == ["doubt"])
    }

    @Test mutating func `a probe that a lost link took back is tried elsewhere, alone`() {
        _ = mapped(a) + submit(1...2)
        _ = refused(1) + refused(2)
        #expect(ticked(at: 100) == ["send 1 to a:1"])
        #expect(mapped(b, at: 110) == [])
        #expect(withdrawn(1, at: 120) == ["send 1 again to b:2"])
        #expect(answered(1, at: 121) == ["send 2 to b:2"])
    }

    @Test mutating func `what was refused is not run after a later command that a lost link may have run`() {
        _ = mapped(a) + submit(1...4)
        #expect(refused(1) == ["doubt"] && refused(2) == ["doubt"])
        #expect(mapped(b) == [])
        #expect(withdrawn(3) == (1...2).map { "fail \($0): a later command for the same slot ran first" })
        // One that was not sent has overtaken nobody.
        #expect(withdrawn(4, mayHaveRun: false) == ["send 3 again to b:2"])
        #expect(answered(3) == ["send 4 to b:2"])
    }

    @Test mutating func `the same holds where that link is back, and all that it sends again is refused`() {
        _ = mapped(a) + submit(1...4)
        #expect(refused(1) == ["doubt"])
        // Lost and back.
        #expect(
            refused(2, mayHaveRun: true) == ["doubt", "fail 1: a later command for the same slot ran first"])
        #expect(refused(3, mayHaveRun: true) == ["doubt"] && refused(4, mayHaveRun: true) == ["doubt"])
        #expect(ticked(at: 100) == ["send 2 again to a:1"])
        #expect(answered(2, at: 101) == ["send 3 again to a:1", "send 4 again to a:1"])
    }

    @Test mutating func `what waits since its server refused it is not failed by what was never sent`() {
        _ = mapped(a) + submit(1...2)
        #expect(refused(1) == ["doubt"] && mapped(b) == [])
        #expect(withdrawn(2, mayHaveRun: false) == ["send 1 to b:2"])
        #expect(answered(1) == ["send 2 to b:2"])
    }

    @Test mutating func `what was taken back while nobody has the slot waits, and in vain it is in doubt`() {
        _ = mapped(a) + submit(1...2)
        _ = mapped(nil)
        #expect(route.strayTarget == a)
        #expect(withdrawn(1) == [] && withdrawn(2, mayHaveRun: false) == [])
        #expect(ticked(at: 5000) == ["fail 1: in doubt", "fail 2: no server runs it in time"])
    }

    @Test mutating func `an answer to what is not under way is none`() {
        _ = mapped(a) + submit(1...1)
        #expect(answered(2) + refused(2) + failed(2) + withdrawn(2) == [])
        #expect(route.isSteady)
        _ = refused(1)
        #expect(answered(1) + refused(1) + failed(1) + withdrawn(1) == [])
        #expect(route.heldCount == 1)
    }

    @Test mutating func `a route that is closed hands back what it holds, and not what links will answer`() {
        _ = mapped(a) + submit(1...3)
        _ = refused(2)
        _ = submit(4...4)
        #expect(route.closed().map(\.number) == [2, 4])
        #expect(answered(1) + failed(3) == [])
        #expect(route.heldCount == 0)
    }

    // MARK: Commands that are for one server only

    @Test mutating func `what is meant for one server fails where its slot goes to another`() {
        route = Self.route(.fail)
        #expect(submit(1...1) == [])
        #expect(mapped(a) == ["send 1 to a:1"])
        _ = submit(2...4)
        // It may have run before, and these are not known to have.
        #expect(mapped(b) == [])
        #expect(withdrawn(1) == ["fail 1: in doubt"])
        #expect(withdrawn(2, mayHaveRun: false) == ["fail 2: this is another server"])
        #expect(submit(5...5) == [])
        #expect(withdrawn(3, mayHaveRun: false) == ["fail 3: this is another server"])
        #expect(withdrawn(4) == ["fail 4: in doubt", "send 5 to b:2"])
    }

    @Test mutating func `what is meant for one server and was refused by it is not told another`() {
        route = Self.route(.fail)
        _ = mapped(a) + submit(1...3)
        #expect(refused(1) == ["doubt"])
        #expect(submit(4...4) == [])
        #expect(
            mapped(b, at: 1) == ["fail 1: this is another server", "fail 4: this is another server"])
        #expect(submit(5...5, at: 2) == [])
        #expect(refused(2, at: 3) == ["doubt", "fail 2: this is another server"])
        #expect(refused(3, at: 3) == ["doubt", "fail 3: this is another server", "send 5 to b:2"])
    }

    @Test
    mutating func `what is meant for one server and refused late is not told another, though nobody has the slot`() {
        route = Self.route(.fail)
        _ = mapped(a) + submit(1...1)
        #expect(mapped(b) == [] && mapped(nil) == [])
        #expect(refused(1) == ["doubt", "fail 1: this is another server"])
    }

    @Test mutating func `a slot stands still from the first refusal until anything runs, or another has it`() {
        _ = mapped(a) + submit(1...2) + refused(1, at: 100) + refused(2, at: 110)
        _ = words(route.ticked(now: at(250))) + refused(1, at: 300) + words(route.ticked(now: at(450)))
        #expect(route.standstill(now: at(5100)) == .seconds(5))
        _ = answered(1, at: 500)
        #expect(route.standstill(now: at(5100)) == .zero)
        _ = refused(2, at: 600)
        #expect(route.standstill(now: at(700)) == .milliseconds(100))
        #expect(mapped(b, at: 800) != [] && route.standstill(now: at(900)) == .zero)
    }

    @Test mutating func `what is meant for one server waits for that where the slot is on the move, or nobody has it`()
    {
        route = Self.route(.fail)
        _ = mapped(a) + submit(1...1)
        _ = refused(1)
        #expect(mapped(nil, at: 10) == [])
        #expect(mapped(a, at: 20) == ["send 1 to a:1"])
        #expect(refused(1, at: 30) == ["doubt"])
        #expect(mapped(nil, at: 40) == [])
        #expect(mapped(b, at: 50) == ["fail 1: this is another server"])
    }
}
