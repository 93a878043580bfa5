import GatewayCore

/// Following users' states in conversation: inputs in few words, what they call for as lines that can be compared.
final class WatchConversation {
    private var machine: WatchMachine
    private(set) var now = MonotonicTime(nanoseconds: 0)
    var breaks = 0
    /// Whom Redis cannot be asked about just now.
    var unreachable: Set<UserID> = []
    /// Questions that have no answer yet.
    private var questions: [WatchMachine.Question] = []
    private var later: [WatchedUser] = []
    private var ticket: FollowTicket = 0

    init(maxWatched: Int = 1000) {
        machine = WatchMachine(WatchMachine.Settings(maxWatched: maxWatched, setBackGrace: .seconds(33)))
    }

    /// One in which these are watched by hub 0 and known to be offline.
    static func watching(_ users: String...) -> WatchConversation {
        let talk = WatchConversation()
        _ = talk.watch(users)
        for user in users { _ = talk.subscribed(user) }
        _ = talk.read()
        _ = talk.answered(users.map { _ in .init(isOnline: false, timestamp: 0) })
        return talk
    }

    var isWaiting: Bool { machine.isWaiting }
    var watched: [String] { machine.users.map(\.string).sorted() }

    /// Tickets count from 1.
    func watch(_ users: [String], held: Int? = nil, hub: HubNumber = 0) -> [String] {
        ticket += 1
        return told(
            machine.watch(
                users.map(UserID.init(unchecked:)), held: held ?? users.count, ticket: ticket, hub: hub, now: now))
    }

    func unwatch(_ user: String, hub: HubNumber = 0) {
        machine.unwatch(UserID(unchecked: user), hub: hub, now: now)
    }

    func subscribed(_ user: String) -> [String] { told(machine.subscribed(UserID(unchecked: user))) }

    func linkLost() {
        breaks += 1
        machine.linkLost { _ in true }
    }

    func doubtAll() -> [String] { told(machine.doubt { _ in true }) }

    func heard(_ user: String, _ isOnline: Bool, at timestamp: Int64) -> [String] {
        told(machine.heard(KnownState(isOnline: isOnline, timestamp: timestamp), of: UserID(unchecked: user)))
    }

    /// The end of the turn: whom Redis is asked about.
    func read() -> [String] {
        let due = machine.takeUnread { !unreachable.contains($0) }
        if !due.isEmpty { questions.append(WatchMachine.Question(users: due, breaks: breaks)) }
        return due.map(\.user.string).sorted()
    }

    /// The oldest question is answered; with nil, it is not.
    func answered(_ states: [KnownState]?) -> [String] {
        guard !questions.isEmpty else { return ["nobody was asked about"] }
        return told(machine.answered(questions.removeFirst(), states, breaks: breaks, now: now))
    }

    func answered(_ isOnline: Bool, at timestamp: Int64) -> [String] {
        answered([KnownState(isOnline: isOnline, timestamp: timestamp)])
    }

    func tick(after duration: Duration) -> [String] {
        now = now + duration
        return told(machine.ticked(now: now))
    }

    /// Those who were to be asked about later are.
    func askAgain(after duration: Duration) -> [String] {
        now = now + duration
        defer { later = [] }
        return later.flatMap { told(machine.askAgain($0)) }
    }

    private func told(_ actions: [WatchMachine.Action]) -> [String] {
        actions.compactMap { action in
            switch action {
            case .subscribe(let users): return users.isEmpty ? nil : "subscribe \(users.map(\.string).sorted())"
            case .unsubscribe(let users): return users.isEmpty ? nil : "unsubscribe \(users.map(\.string).sorted())"
            case .read: return "read"
            case .askLater(let one, _):
                later.append(one)
                return "ask about \(one.user) later"
            case .tell(let change, let hubs):
                return "tell \(Array(hubs)) \(change.userId) \(change.isOnline ? "on" : "off") \(change.timestamp)"
            case .answer(let ticket, let hub, let users):
                let states = users.map {
                    "\($0.userId) \($0.isOnline ? "on" : $0.lastSeen.map { "off \($0)" } ?? "off")"
                }
                return "answer \(ticket) of \(hub): \(states.joined(separator: ", "))"
            case .fail(let ticket, let hub, _): return "fail \(ticket) of \(hub)"
            }
        }
    }
}
