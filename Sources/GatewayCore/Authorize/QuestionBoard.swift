/// The questions to the backend that are under way, those that wait for their turn, and answers that still hold.
///
/// Equal questions share one call. No more calls are under way than are allowed; the others wait in line, which has a
/// bound, and not for longer than a call may take. Knows no network and no clock: whoever asks is told what to do, and
/// says how it went.
package struct QuestionBoard<Key: Hashable & Sendable, Asker: Sendable>: Sendable {
    package struct Limits: Hashable, Sendable {
        package var underWay: Int
        /// Askers without an answer, whether their call has begun or not.
        package var waiting: Int
        /// From the question to the end of the call.
        package var patience: Duration
        package var kept: Int
        /// Of all kept answers, as they came.
        package var keptBytes: Int

        package init(
            underWay: Int, waiting: Int = 10_000, patience: Duration, kept: Int = 10_000, keptBytes: Int = 16 << 20
        ) {
            self.underWay = underWay
            self.waiting = waiting
            self.patience = patience
            self.kept = kept
            self.keptBytes = keptBytes
        }
    }

    /// One call.
    package struct Call: Hashable, Sendable {
        package let number: Int
        /// How long it may take.
        package let time: Duration
    }

    package enum Step: Sendable {
        case known(Ruling)
        /// Whoever asks makes the call; `ended` follows.
        case call(Call)
        /// Somebody else's call brings the answer, or a turn of its own comes.
        case wait
        /// Too many wait.
        case refused
    }

    /// What follows from the end of a call.
    package struct Outcome: Sendable {
        /// Those who waited for this very answer.
        package var answered: [Asker] = []
        /// Those whose turn it is to call.
        package var next: [(asker: Asker, call: Call)] = []
        /// Those who have waited for too long.
        package var expired: [Asker] = []
    }

    private struct Flight {
        let key: Key
        let user: UserID?
        let askedAt: MonotonicTime
        /// Nil while it waits for its turn.
        var begunAt: MonotonicTime?
        /// Who is to call, while it waits.
        var caller: Asker?
        var askers: [Asker] = []
    }

    private struct Kept {
        let ruling: Ruling
        let user: UserID?
        let begunAt: MonotonicTime
        let until: MonotonicTime
        let bytes: Int
    }

    package var limits: Limits
    private var flights: [Int: Flight] = [:]
    /// The latest flight of each question.
    private var latest: [Key: Int] = [:]
    private var line: [Int] = []
    /// Of the line: those before it have gone.
    private var front = 0
    private var count = 0
    private var kept: [Key: Kept] = [:]
    package private(set) var keptBytes = 0
    package private(set) var underWay = 0
    package private(set) var waiting = 0
    private var refreshed = RefreshedUsers()

    package init(limits: Limits) {
        self.limits = limits
    }

    package var keptCount: Int { kept.count }

    // MARK: Asking

    /// - Parameter user: whom it is about, where that is known.
    package mutating func ask(_ key: Key, about user: UserID?, by asker: Asker, now: MonotonicTime) -> Step {
        let earliest = (user ?? kept[key]?.user).flatMap { refreshed.moment(of: $0) }
        func counts(_ begun: MonotonicTime) -> Bool { earliest.map { begun >= $0 } ?? true }
        if let answer = kept[key], answer.until > now, counts(answer.begunAt) { return .known(answer.ruling) }
        guard waiting < limits.waiting else { return .refused }
        if let number = latest[key], let flight = flights[number], flight.begunAt.map(counts) ?? true {
            flights[number]?.askers.append(asker)
            waiting += 1
            return .wait
        }
        count += 1
        var flight = Flight(key: key, user: user, askedAt: now)
        latest[key] = count
        defer { flights[count] = flight }
        guard underWay < limits.underWay else {
            flight.caller = asker
            line.append(count)
            waiting += 1
            return .wait
        }
        flight.begunAt = now
        underWay += 1
        return .call(Call(number: count, time: limits.patience))
    }

    /// A call has its answer, which holds for so long from now on.
    ///
    /// - Parameter bytes: of the answer, as it came.
    package mutating func ended(
        _ call: Call, _ ruling: Ruling, holds: Duration = .zero, bytes: Int = 0, now: MonotonicTime
    ) -> Outcome {
        guard let flight = flights.removeValue(forKey: call.number), let begunAt = flight.begunAt else {
            preconditionFailure("a call that was not under way has ended")
        }
        if latest[flight.key] == call.number { latest[flight.key] = nil }
        underWay -= 1
        waiting -= flight.askers.count
        keep(ruling, of: flight, begunAt: begunAt, for: holds, bytes: bytes, now: now)
        var outcome = Outcome(answered: flight.askers)
        while underWay < limits.underWay, let number = takeFirst(), let caller = flights[number]?.caller {
            begin(number, caller, &outcome, now: now)
        }
        return outcome
    }

    private mutating func begin(_ number: Int, _ caller: Asker, _ outcome: inout Outcome, now: MonotonicTime) {
        guard var flight = flights[number] else { return }
        let rest = limits.patience - (now - flight.askedAt)
        guard rest > .zero else {
            flights[number] = nil
            if latest[flight.key] == number { latest[flight.key] = nil }
            waiting -= 1 + flight.askers.count
            return outcome.expired += [caller] + flight.askers
        }
        (flight.begunAt, flight.caller) = (now, nil)
        flights[number] = flight
        underWay += 1
        waiting -= 1
        outcome.next.append((caller, Call(number: number, time: rest)))
    }

    private mutating func takeFirst() -> Int? {
        guard front < line.count else {
            (line, front) = ([], 0)
            return nil
        }
        front += 1
        defer {
            // Seldom, so that each pays for one move.
            if front > 64, front > line.count / 2 {
                line.removeFirst(front)
                front = 0
            }
        }
        return line[front - 1]
    }

    // MARK: Answers that hold

    private mutating func keep(
        _ ruling: Ruling, of flight: Flight, begunAt: MonotonicTime, for time: Duration, bytes: Int, now: MonotonicTime
    ) {
        guard case .allowed(let grant) = ruling, bytes <= limits.keptBytes / 64 else { return }
        let until = min(now + time, grant.endsAt ?? MonotonicTime(nanoseconds: .max))
        let user = flight.user ?? grant.userId
        // The backend has changed its mind about the user while it was being asked.
        if let user, let moment = refreshed.moment(of: user), begunAt < moment { return }
        guard until > now else { return }
        if kept.count >= limits.kept || keptBytes + bytes > limits.keptBytes { makeRoom(now: now) }
        forget(flight.key)
        kept[flight.key] = Kept(ruling: ruling, user: user, begunAt: begunAt, until: until, bytes: bytes)
        keptBytes += bytes
    }

    /// Those that hold no more go, and where these are few an eighth of the others, whichever they are.
    private mutating func makeRoom(now: MonotonicTime) {
        for (key, answer) in kept where answer.until <= now { forget(key) }
        guard kept.count >= limits.kept * 7 / 8 || keptBytes >= limits.keptBytes / 8 * 7 else { return }
        for key in kept.keys.prefix(max(1, kept.count / 8)) { forget(key) }
    }

    private mutating func forget(_ key: Key) {
        if let answer = kept.removeValue(forKey: key) { keptBytes -= answer.bytes }
    }

    // MARK: Asked again

    /// Nothing that was said of this user counts any more, nor what is about to be said of somebody not known yet.
    package mutating func forget(_ user: UserID, now: MonotonicTime) {
        refreshed.note(user, now: now)
        for (key, answer) in kept where answer.user == user { forget(key) }
        letGo { $0.user == nil }
    }

    /// Nobody joins those calls any more that are under way: whoever asks from here on has one of their own.
    private mutating func letGo(_ isMeant: (Flight) -> Bool) {
        for (number, flight) in flights where flight.begunAt != nil && latest[flight.key] == number {
            if isMeant(flight) { latest[flight.key] = nil }
        }
    }

    /// Nothing that was said counts any more.
    package mutating func forgetAll(now: MonotonicTime) {
        (kept, keptBytes) = ([:], 0)
        refreshed.noteAll(now: now)
        letGo { _ in true }
    }

    /// Whether that has happened since then.
    package func isForgotten(_ user: UserID, since moment: MonotonicTime) -> Bool {
        refreshed.moment(of: user).map { $0 >= moment } ?? false
    }
}

/// When the backend last wanted to be asked again about whom. Only some are remembered by name: where there are too many,
/// all users count as meant at the moment of the latest that is forgotten.
struct RefreshedUsers: Sendable {
    private static let most = 20_000

    private var moments: [UserID: MonotonicTime] = [:]
    private var everybody: MonotonicTime?

    func moment(of user: UserID) -> MonotonicTime? {
        guard let own = moments[user] else { return everybody }
        return max(own, everybody ?? own)
    }

    mutating func note(_ user: UserID, now: MonotonicTime) {
        if moments.count >= RefreshedUsers.most { noteAll(now: now) }
        moments[user] = now
    }

    mutating func noteAll(now: MonotonicTime) {
        everybody = now
        moments = [:]
    }
}
