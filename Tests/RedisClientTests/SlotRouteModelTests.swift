import Foundation
import NIOCore
import RedisClient
import TestSupport
import Testing

/// The commands for one slot against three servers, which run what they are sent by who has the slot at that moment.
@Suite("The way of one slot's commands against a model of a Cluster")
struct SlotRouteModelTests {
    @Test(arguments: [OnAnotherServer.sendAgain, .fail])
    func `in 200,000 random steps each command runs once and in order, or fails`(policy: OnAnotherServer) throws {
        let given = ProcessInfo.processInfo.environment["MARTLET_TEST_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: .min ... .max)
        let model = SlotRouteModel(seed: seed, policy: policy)
        while model.steps < 200_000 {
            for _ in 0..<300 { model.step() }
            model.settle()
            try #require(model.faults.isEmpty, "seed \(seed), step \(model.steps): \(model.faults.prefix(3))")
        }
        // By chance: of the latter 36 to 158 were seen to be repeated.
        let (ran, repeated) = policy == .sendAgain ? (20_000, 200) : (3000, 5)
        #expect(model.ran > ran && model.repeated > repeated && model.refused > 5000, "seed \(seed): \(model)")
        print("slot route: seed \(seed), \(policy): \(model)")
    }
}

/// One slot, its three servers and the links to them.
private final class SlotRouteModel: CustomStringConvertible {
    typealias Route = SlotRoute<Void>
    typealias Place = RedisConfiguration.Endpoint

    /// A command on its way over one link, as the link knows it.
    private struct Entry {
        let number: Int64
        let deadline: NIODeadline
        /// Nil once its caller has been told that its time is up.
        var isAwaited = true
        var isRetry: Bool
    }

    private enum Reply {
        case ran, refused(isDown: Bool)
    }

    private struct Server {
        var downSince: NIODeadline?
        var unanswered: [Entry] = []
        /// What it has received and not looked at.
        var unread: [Entry] = []
        /// What has not come back yet.
        var replies: [Reply] = []
    }

    private enum Outcome: Equatable {
        case ran, failed(RedisError)
    }

    private static let places = (1...3).map { Place.tcp(host: "s", port: $0) }
    private static let failFastAfter = TimeAmount.seconds(1)

    private var random: SplitMix
    private let policy: OnAnotherServer
    private var route: Route
    private var servers = [Server](repeating: Server(), count: 3)
    private var now = NIODeadline.uptimeNanoseconds(0) + .hours(1)
    /// Who has the slot; nil while nobody has.
    private var owner: Int? = 0
    /// Whether it is on the move.
    private var isFrozen = false
    /// Whether the servers see too few of each other.
    private var isDown = false
    private var lastNumber: Int64 = 0
    /// What was done to the slot, in order.
    private var done: [Int64] = []
    private var outcomes: [Int64: Outcome] = [:]
    /// Where each was sent first.
    private var firstPlaces: [Int64: Place] = [:]
    private var checked = 0
    /// Repetitions that were refused and have no answer yet.
    private var refusedRetries: Set<Int64> = []

    private(set) var steps = 0
    private(set) var ran = 0, repeated = 0, refused = 0, failed = 0
    private(set) var faults: [String] = []

    var description: String { "\(ran) ran, \(failed) failed, \(refused) refusals, \(repeated) repetitions" }

    init(seed: UInt64, policy: OnAnotherServer) {
        random = SplitMix(seed: seed)
        self.policy = policy
        var configuration = RedisConfiguration()
        configuration.failFastAfter = .seconds(1)
        configuration.onAnotherServer = policy
        route = Route(configuration: configuration)
    }

    private func number(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

    func step() {
        steps += 1
        let server = number(below: 3)
        switch number(below: 100) {
        case 0..<30: submit(within: .milliseconds(Int64(50 + number(below: 4000))))
        case 30..<55: read(server)
        case 55..<80: deliver(server)
        case 80..<82: lose(server)
        case 82..<86: connect(server)
        case 86..<89:
            owner = number(below: 5) == 0 ? nil : number(below: 3)
        case 89: isFrozen.toggle()
        case 90: isDown = number(below: 3) == 0
        case 91..<96: map(number(below: 4) > 0 ? owner : number(below: 3))
        default: pass(.milliseconds(Int64(number(below: 20) == 0 ? number(below: 3000) : number(below: 60))))
        }
    }

    /// All servers are there, one has the slot, and all that was asked is answered.
    func settle() {
        (isFrozen, isDown) = (false, false)
        let owner = number(below: 3)
        self.owner = owner
        for server in 0..<3 { connect(server) }
        map(owner)
        drain()
        if route.heldCount > 0 || route.strayTarget != nil { faults.append("\(route.heldCount) are held for ever") }
        for number in stride(from: lastNumber, to: lastNumber - 300, by: -1) where number > 0 && outcomes[number] == nil
        {
            faults.append("\(number) has no answer")
        }
        submit(within: .seconds(5))
        drain()
        if outcomes[lastNumber] != .ran || !route.isSteady {
            faults.append(
                "\(lastNumber) is not run though all stand: \(outcomes[lastNumber].map { "\($0)" } ?? "nothing")")
        }
        let answered = done[checked...].filter { outcomes[$0] == .ran }
        for (one, next) in zip(answered, answered.dropFirst()) where one >= next {
            faults.append("\(one) ran before \(next)")
        }
        checked = done.count
    }

    private func drain() {
        for _ in 0..<200 {
            for server in 0..<3 {
                for _ in servers[server].unread { read(server) }
                while !servers[server].replies.isEmpty { deliver(server) }
            }
            pass(.milliseconds(50))
        }
    }

    // MARK: What happens

    private func submit(within time: TimeAmount) {
        lastNumber += 1
        perform(route.submitted(Route.Command(number: lastNumber, deadline: now + time, payload: ()), now: now))
    }

    private func map(_ server: Int?) {
        perform(route.mapped(to: server.map { Self.places[$0] }, now: now))
        withdraw()
    }

    private func pass(_ time: TimeAmount) {
        now = now + time
        for server in 0..<3 { expire(server) }
        perform(route.ticked(now: now))
    }

    /// A server looks at the next that it was sent.
    private func read(_ server: Int) {
        guard !servers[server].unread.isEmpty else { return }
        let entry = servers[server].unread.removeFirst()
        guard owner == server, !isFrozen, !isDown else {
            refused += 1
            return servers[server].replies.append(.refused(isDown: isDown || owner == nil))
        }
        run(entry)
        servers[server].replies.append(.ran)
    }

    private func run(_ entry: Entry) {
        if case .failed(.unavailable) = outcomes[entry.number] {
            faults.append("\(entry.number) runs after its caller was told that it did not")
        }
        guard done.suffix(2000).contains(entry.number) else { return done.append(entry.number) }
        repeated += 1
        if !entry.isRetry { faults.append("\(entry.number) runs twice, and not as a repetition") }
    }

    private func deliver(_ server: Int) {
        guard !servers[server].replies.isEmpty else { return }
        let reply = servers[server].replies.removeFirst()
        let entry = servers[server].unanswered.removeFirst()
        guard entry.isAwaited else { return }
        switch reply {
        case .ran:
            tell(entry.number, .ran)
            perform(route.answered(entry.number, now: now))
        case .refused(let isDown):
            if entry.isRetry { refusedRetries.insert(entry.number) }
            perform(route.refused(entry.number, isDown: isDown, mayHaveRun: entry.isRetry, now: now))
        }
    }

    /// A link breaks. The server may run what it has received, and what it says of that is lost. What it has refused is told
    /// before: a server that refuses one command, runs the next and is lost with both answers looks like one that ran both.
    private func lose(_ server: Int) {
        guard servers[server].downSince == nil else { return }
        while servers[server].replies.contains(where: { if case .refused = $0 { true } else { false } }) {
            deliver(server)
        }
        // Nor can it be told, after a second loss, which of the losses a command was refused after.
        refusedRetries = refusedRetries.filter { outcomes[$0] == nil }
        let isSecond =
            route.heldCount > 0
            && (!refusedRetries.isEmpty || servers[server].unanswered.contains(where: \.isRetry))
        while isSecond, !servers[server].replies.isEmpty { deliver(server) }
        for _ in 0..<(isSecond ? 0 : number(below: servers[server].unread.count + 1)) { read(server) }
        servers[server].downSince = now
        (servers[server].unread, servers[server].replies) = ([], [])
        servers[server].unanswered.removeAll { !$0.isAwaited }
        for index in servers[server].unanswered.indices { servers[server].unanswered[index].isRetry = true }
        withdraw()
    }

    private func connect(_ server: Int) {
        guard servers[server].downSince != nil else { return }
        servers[server].downSince = nil
        servers[server].unread = servers[server].unanswered
    }

    private func withdraw() {
        guard let stray = route.strayTarget, let server = Self.places.firstIndex(of: stray),
            servers[server].downSince != nil
        else { return }
        let taken = servers[server].unanswered
        servers[server].unanswered = []
        for entry in taken { perform(route.withdrawn(entry.number, mayHaveRun: entry.isRetry, now: now)) }
    }

    private func expire(_ server: Int) {
        let isUp = servers[server].downSince == nil
        var late: [Entry] = []
        for index in servers[server].unanswered.indices {
            let entry = servers[server].unanswered[index]
            guard entry.isAwaited, entry.deadline <= now else { continue }
            servers[server].unanswered[index].isAwaited = false
            late.append(entry)
        }
        if !isUp { servers[server].unanswered.removeAll { !$0.isAwaited } }
        for entry in late {
            tell(entry.number, .failed(isUp || entry.isRetry ? .timeout : .unavailable("the link is down")))
            perform(route.failed(entry.number, now: now))
        }
    }

    // MARK: What the route says

    private func perform(_ actions: [Route.Action]) {
        for action in actions {
            switch action {
            case .doubt: break
            case .fail(let command, let error): tell(command.number, .failed(error))
            case .send(let command, let place): send(command, place)
            }
        }
    }

    private func send(_ command: Route.Command, _ place: Place) {
        guard let server = Self.places.firstIndex(of: place) else { return faults.append("nobody is at \(place)") }
        if policy == .fail, firstPlaces[command.number, default: place] != place {
            faults.append("\(command.number) is sent to two servers")
        }
        firstPlaces[command.number] = firstPlaces[command.number] ?? place
        if let since = servers[server].downSince, now - since > Self.failFastAfter {
            tell(command.number, .failed(command.isRetry ? .timeout : .unavailable("the link is down")))
            return perform(route.failed(command.number, now: now))
        }
        let entry = Entry(number: command.number, deadline: command.deadline, isRetry: command.isRetry)
        servers[server].unanswered.append(entry)
        if servers[server].downSince == nil { servers[server].unread.append(entry) }
    }

    private func tell(_ number: Int64, _ outcome: Outcome) {
        if let earlier = outcomes[number] { faults.append("\(number) is answered twice: \(earlier), \(outcome)") }
        outcomes[number] = outcome
        switch outcome {
        case .ran:
            ran += 1
            if !done.suffix(2000).contains(number) { faults.append("\(number) was answered and not run") }
        case .failed(.unavailable):
            failed += 1
            if done.suffix(2000).contains(number) {
                faults.append("\(number) has run, and its caller is told that it did not")
            }
        case .failed: failed += 1
        }
    }
}
