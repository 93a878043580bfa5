/// The questions to the backend that are under way, those that wait for their turn, and answers that still hold.
///
/// Equal questions share one call. No more calls are under way than are allowed; the others wait in line, which has a
/// bound, and not for longer than a call may take. Places, both in line and under way, are shared out by lanes: whatever one
/// asks, others still find some. Knows no network and no clock: whoever asks is told what to do, and says how it went.
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

    /// What one lane has of the places.
    fileprivate struct Share {
        var underWay = 0
        var waiting = 0
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
        let lane: QuestionLane
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
    private var line = FairLine<QuestionLane, Int>()
    private var shares: [QuestionLane: Share] = [:]
    /// The number of the last flight.
    private var count = 0
    /// Up to this number none waits any more.
    private var oldest = 0
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
    package mutating func ask(
        _ key: Key, about user: UserID?, in lane: QuestionLane, by asker: Asker, now: MonotonicTime
    ) -> Step {
        let earliest = (user ?? kept[key]?.user).flatMap { refreshed.moment(of: $0) }
        func counts(_ begun: MonotonicTime) -> Bool { earliest.map { begun >= $0 } ?? true }
        if let answer = kept[key], answer.until > now, counts(answer.begunAt) { return .known(answer.ruling) }
        guard limits.letWait(shares[lane], among: waiting) else { return .refused }
        if let number = latest[key], let flight = flights[number], flight.begunAt.map(counts) ?? true {
            flights[number]?.askers.append(asker)
            wait(1, in: flight.lane)
            return .wait
        }
        count += 1
        var flight = Flight(key: key, lane: lane, user: user, askedAt: now)
        latest[key] = count
        defer { flights[count] = flight }
        guard underWay < limits.underWay, limits.letBegin(shares[lane]) else {
            flight.caller = asker
            line.append(count, to: lane)
            wait(1, in: lane)
            return .wait
        }
        flight.begunAt = now
        fly(1, in: lane)
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
        fly(-1, in: flight.lane)
        wait(-flight.askers.count, in: flight.lane)
        keep(ruling, of: flight, begunAt: begunAt, for: holds, bytes: bytes, now: now)
        var outcome = Outcome(answered: flight.askers)
        expire(&outcome, now: now)
        while underWay < limits.underWay, let number = takeFirst(), let caller = flights[number]?.caller {
            begin(number, caller, &outcome, now: now)
        }
        return outcome
    }

    /// Whoever has waited for too long leaves the line, wherever in it.
    private mutating func expire(_ outcome: inout Outcome, now: MonotonicTime) {
        while oldest < count {
            let number = oldest + 1
            if let flight = flights[number], let caller = flight.caller {
                guard now - flight.askedAt >= limits.patience else { return }
                flights[number] = nil
                if latest[flight.key] == number { latest[flight.key] = nil }
                wait(-1 - flight.askers.count, in: flight.lane)
                outcome.expired += [caller] + flight.askers
            }
            oldest = number
        }
    }

    private mutating func begin(_ number: Int, _ caller: Asker, _ outcome: inout Outcome, now: MonotonicTime) {
        guard var flight = flights[number] else { return }
        (flight.begunAt, flight.caller) = (now, nil)
        flights[number] = flight
        fly(1, in: flight.lane)
        wait(-1, in: flight.lane)
        outcome.next.append((caller, Call(number: number, time: limits.patience - (now - flight.askedAt))))
    }

    // MARK: Shares

    private mutating func takeFirst() -> Int? {
        line.takeFirst { [shares, limits] lane in
            limits.letBegin(shares[lane])
        } isThere: { [flights] number in
            flights[number] != nil
        }
    }

    private mutating func wait(_ askers: Int, in lane: QuestionLane) {
        waiting += askers
        share(in: lane) { $0.waiting += askers }
    }

    private mutating func fly(_ calls: Int, in lane: QuestionLane) {
        underWay += calls
        share(in: lane) { $0.underWay += calls }
    }

    private mutating func share(in lane: QuestionLane, _ change: (inout Share) -> Void) {
        var share = shares[lane] ?? Share()
        change(&share)
        shares[lane] = share.waiting == 0 && share.underWay == 0 ? nil : share
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

extension QuestionBoard.Limits {
    /// One lane alone waits at half of the places, two at a third each: always as many are free as the fullest has.
    fileprivate func letWait(_ share: QuestionBoard.Share?, among all: Int) -> Bool {
        waiting - all > share?.waiting ?? 0
    }

    /// A quarter of the calls is for the others.
    fileprivate func letBegin(_ share: QuestionBoard.Share?) -> Bool {
        share?.underWay ?? 0 < underWay - underWay / 4
    }
}
