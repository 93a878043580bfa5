/// The work under way for a track; a class of its own, so that a track at rest is small.
final class PendingWork {
    /// The extent to which the stream is known.
    enum Stage {
        /// Where it stands has not been told yet; `isCut` says that more came than could be kept.
        case unknown(isCut: Bool)
        /// The next number is awaited.
        case steady
        /// Something is missing, or may be: the log is to be asked.
        case behind(comparesRoster: Bool)
        /// The log was asked.
        case catchingUp(CatchUp)
    }

    /// A question to the log for what all followers have missed.
    struct CatchUp {
        /// Behind which it was asked.
        let position: Position
        /// How much was kept when it was asked.
        let heldBefore: Int
        /// Whether a roster that the answer knows better than the channel is to be told.
        var comparesRoster: Bool
        /// The version of the room's settings that was known when it was asked.
        let settingsVersion: Int64
        /// Whether something was found meanwhile that the answer need not hold.
        var isDueAgain = false
    }

    /// A question for listeners, who stay in it until it is answered.
    struct Question {
        var listeners: [Listener]
        /// Up to where everything was delivered when it was asked.
        let seen: Position?
        /// How often the subscriptions had been lost when it was asked.
        let breaks: Int
    }

    /// Registrations of the inbox's user that are under way.
    struct Registration {
        var count = 1
        /// How often the subscriptions had been lost when the first of them began; nil where they were not in place.
        let breaks: Int?
    }

    var stage: Stage
    /// The first number under which something else than was seen has been found: nothing more is told before the log was
    /// asked about it.
    var doubted: Int?
    /// Behind which number the log is to be read, where it is not the latest that was seen.
    var readsBehind: Int?
    /// Not asked for yet.
    var waiting: [Listener] = []
    var question: Question?
    var parked: [ParkedListener] = []
    var held = HeldStream()
    var registration: Registration?
    /// Messages whose payloads were taken away while answers were under way that may hold them still.
    private var redacted: Set<Int> = []
    /// What the last join has found, and until when that is kept for its listener.
    var known: (answer: PositionAnswer, until: MonotonicTime)?
    /// When a roster that Redis is given again will be whole, and is told to have changed unseen.
    var rosterSettles: MonotonicTime?
    /// Since when nobody listens.
    var idleSince: MonotonicTime?
    /// Until when there is nothing to be looked at; nil where the next tick has to.
    var restsUntil: MonotonicTime?

    init(_ stage: Stage) {
        self.stage = stage
    }

    var isCatchingUp: Bool {
        switch stage {
        case .catchingUp: true
        case .unknown, .steady, .behind: false
        }
    }

    /// Whether what comes has to wait for what the log says.
    var holdsBack: Bool { isCatchingUp || doubted != nil }

    var isBehind: Bool {
        switch stage {
        case .behind: true
        case .unknown, .steady, .catchingUp: false
        }
    }

    var hasListeners: Bool {
        !waiting.isEmpty || question?.listeners.isEmpty == false || !parked.isEmpty || registration != nil
    }

    /// Whether nothing is under way.
    var isOver: Bool { isAtRest && idleSince == nil && known == nil && rosterSettles == nil }

    /// Whether all that can happen by itself is that a time comes.
    private var isAtRest: Bool {
        guard !hasListeners, held.isEmpty, question == nil else { return false }
        return switch stage {
        case .steady, .unknown(isCut: false): true
        case .unknown(isCut: true), .behind, .catchingUp: false
        }
    }

    /// When that is; nil where there is more to be looked at.
    func nextDeadline(lingering: Duration) -> MonotonicTime? {
        guard isAtRest else { return nil }
        var deadline = idleSince.map { $0 + lingering }
        if let time = known?.until { deadline = deadline.map { min($0, time) } ?? time }
        if let time = rosterSettles { deadline = deadline.map { min($0, time) } ?? time }
        return deadline
    }

    /// Records that something is missing or may be.
    func fallBehind(comparesRoster: Bool = false) {
        switch stage {
        case .unknown: stage = .unknown(isCut: true)
        case .steady: stage = .behind(comparesRoster: comparesRoster)
        case .behind(let compares): stage = .behind(comparesRoster: compares || comparesRoster)
        case .catchingUp(var run):
            run.isDueAgain = true
            run.comparesRoster = run.comparesRoster || comparesRoster
            stage = .catchingUp(run)
        }
    }

    /// Records that the log may hold something else than was seen, from this number on.
    func doubt(from seq: Int) {
        doubted = min(seq, doubted ?? seq)
        fallBehind()
    }

    /// Keeps something for when the stream's place is known; what does not fit is fetched from the log again.
    func hold(_ item: HeldStream.Item) {
        if !held.keep(item) { fallBehind(comparesRoster: true) }
    }

    /// Takes out those whose time is over; whoever is asked about is told with the answer.
    func takeLate(now: MonotonicTime) -> [Listener] {
        let late =
            waiting.filter { $0.deadline <= now } + parked.map(\.listener).filter { $0.deadline <= now }
        waiting.removeAll { $0.deadline <= now }
        parked.removeAll { $0.listener.deadline <= now }
        return late
    }

    /// Takes out those who want nothing of the past.
    func takeNewcomers() -> [Listener] {
        guard waiting.contains(where: { $0.since != nil }) else {
            defer { waiting = [] }
            return waiting
        }
        defer { waiting.removeAll { $0.since == nil } }
        return waiting.filter { $0.since == nil }
    }

    /// Takes these messages' payloads away, those among them that come with answers that are under way.
    func redact(_ seqs: Set<Int>) {
        redacted.formUnion(seqs)
        held.redact(seqs)
        parked = parked.map {
            ParkedListener(listener: $0.listener, answer: $0.answer.redacting(seqs), since: $0.since)
        }
        if let answer = known?.answer { known?.answer = answer.redacting(seqs) }
    }

    /// An answer without the payloads that were taken away meanwhile.
    func cleaned(_ answer: PositionAnswer) -> PositionAnswer {
        redacted.isEmpty ? answer : answer.redacting(redacted)
    }

    func forget(_ hub: HubNumber) {
        waiting.removeAll { $0.hub == hub }
        question?.listeners.removeAll { $0.hub == hub }
        parked.removeAll { $0.listener.hub == hub }
    }
}
