import Foundation
import LoadBench
import MartletClient
import StormJudge
import Synchronization

/// A storm from the first connection to the last trace of it.
struct StormRun: Sendable {
    let plan: StormPlan
    /// Of the client ports.
    let urls: [String]
    let backend: StormBackend
    let tokens: Tokens?
    let mercy: Reckoning.Mercy
    let rule: AbsenceRule
    let ending: StormEnding
    /// For everybody to have all, and once more for all nodes to say who is there.
    let settling: Duration
    let say: @Sendable (String) -> Void
    let start = ContinuousClock.now

    /// For each client to be let in.
    private static let patience = Duration.seconds(30)
    private static let look = Duration.milliseconds(200)
    private static let width = 16

    init(
        plan: StormPlan, urls: [String], backend: StormBackend, tokens: Tokens?, mercy: Reckoning.Mercy,
        grace: Duration, settling: Duration, ending: StormEnding, say: @escaping @Sendable (String) -> Void
    ) {
        self.plan = plan
        self.urls = urls
        self.backend = backend
        self.tokens = tokens
        self.mercy = mercy
        rule = AbsenceRule(grace: grace)
        self.settling = settling
        self.ending = ending
        self.say = say
    }

    /// - Throws: where there was no storm.
    func perform() async throws -> StormOutcome {
        try await backend.checkAccess()
        let witnesses = try (0..<plan.clients).map(witness)
        return try await withThrowingDiscardingTaskGroup(returning: StormOutcome.self) { group in
            for witness in witnesses { group.addTask { await witness.listen() } }
            do {
                let outcome = try await storm(witnesses)
                return try await end(witnesses, outcome)
            } catch {
                // It did not come about; what there is of it goes.
                _ = try? await end(witnesses, StormOutcome())
                throw error
            }
        }
    }

    private func witness(_ number: Int) throws -> StormWitness {
        let user = plan.user(number)
        let home = number % urls.count
        let tokens = tokens
        return try StormWitness(
            user: user, rooms: plan.rooms(of: number).map(plan.room), urls: Array(urls[home...] + urls[..<home]),
            credentials: tokens.map { tokens in .token { tokens.token(for: user) } } ?? .user(user), grace: rule.grace,
            start: start)
    }

    // MARK: The storm

    private func storm(_ witnesses: [StormWitness]) async throws -> StormOutcome {
        say("\(plan.clients) clients connect and join \(plan.rooms) rooms")
        do {
            try await each(witnesses) { _, witness in try await witness.enter(within: StormRun.patience) }
            try await each(witnesses) { number, witness in
                for room in witness.rooms { _ = try await witness.readRoster(of: room) }
                try await witness.watch(plan.watched(by: number))
            }
        } catch {
            throw BenchFailure("the clients cannot get in: \(error)")
        }
        for witness in witnesses { witness.begins() }
        let publisher = StormPublisher(plan, backend, start: start, ending: ending)
        let deliveries = try await withThrowingTaskGroup(of: [Int].self) { group in
            group.addTask { await tell(of: witnesses, publisher) }
            try await publisher.publish()
            group.cancelAll()
            return try await group.next() ?? []
        }
        let books = publisher.books
        guard books.acknowledged > 0 else { throw BenchFailure("not one message was acknowledged") }
        var outcome = StormOutcome(books, deliveries: deliveries)
        await judge(witnesses, books, &outcome)
        return outcome
    }

    /// Says once in five seconds how it goes, until it is cancelled; answers what was delivered in each second.
    private func tell(of witnesses: [StormWitness], _ publisher: StormPublisher) async -> [Int] {
        let begin = ContinuousClock.now
        var (each, before): ([Int], Int) = ([], 0)
        while true {
            let second = each.count + 1
            // Cancelled when the last message is acknowledged.
            guard (try? await ContinuousClock().sleep(until: begin + .seconds(second))) != nil else { return each }
            let delivered = witnesses.reduce(0) { $0 + $1.delivered }
            each.append(delivered - before)
            before = delivered
            guard second % 5 == 0 else { continue }
            let books = publisher.books
            say(
                """
                \(second) s: published \(books.published), acknowledged \(books.acknowledged), delivered \(delivered), \
                gaps \(witnesses.reduce(0) { $0 + $1.gaps }), \
                \(witnesses.count(where: \.isConnected)) of \(witnesses.count) connected
                """)
        }
    }

    // MARK: The end

    /// Everybody goes, and is gone; nothing of it is left in Redis.
    private func end(_ witnesses: [StormWitness], _ outcome: StormOutcome) async throws -> StormOutcome {
        var outcome = outcome
        try await each(witnesses) { _, witness in await witness.close() }
        let isGone = await comesAbout(until: .now + settling) {
            for api in backend.apis.indices {
                if let online = await backend.online(plan.users, at: api) { return online.isEmpty }
            }
            return false
        }
        if !isGone { outcome.reckoning.falsePresence("some of the clients are online after they have said goodbye") }
        if !(await backend.clean(plan)) {
            outcome.notes.append("the key did not allow to take all traces away: they end with log.age")
        }
        return outcome
    }

    // MARK: Waiting

    /// Looks again and again; false where it has not come about in time.
    func comesAbout(
        until end: ContinuousClock.Instant, _ condition: @Sendable () async -> Bool
    ) async -> Bool {
        repeat {
            if await condition() { return true }
        } while await waits(until: end)
        return false
    }

    /// False where the time is over, or the run is to end.
    func waits(until end: ContinuousClock.Instant) async -> Bool {
        guard ContinuousClock.now < end else { return false }
        return (try? await ContinuousClock().sleep(for: StormRun.look)) != nil
    }

    /// Does one thing with each, some at a time.
    private func each(
        _ witnesses: [StormWitness], _ act: @escaping @Sendable (Int, StormWitness) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, witness) in witnesses.enumerated() {
                if number >= StormRun.width { try await group.next() }
                group.addTask { try await act(number, witness) }
            }
            try await group.waitForAll()
        }
    }
}
