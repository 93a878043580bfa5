import DequeModule
import NIOCore

/// The way of the commands for one slot of a Cluster, as a machine without I/O: each runs once and in order, or fails.
///
/// From the first that a server has not run, since the slot is elsewhere or on the move, all are held: what was refused goes
/// to the front in its old order, new ones behind. Nothing is sent before the last one under way is answered, and then the
/// oldest alone: only once it has run do the others follow. `ASK` is never followed: where it leads nobody is subscribed.
/// What is meant for one server (``OnAnotherServer/fail``) is held only while the slot may be that one's yet.
package struct SlotRoute<Payload> {
    package typealias Address = RedisConfiguration.Endpoint

    package struct Command {
        /// In the order in which the link's commands were handed in.
        package let number: Int64
        package let deadline: NIODeadline
        /// Whether it may have run before.
        package fileprivate(set) var isRetry = false
        /// Whether a server has said, as the last thing about it, that it did not run it.
        fileprivate var isRefused = false
        package let payload: Payload

        package init(number: Int64, deadline: NIODeadline, payload: Payload) {
            self.number = number
            self.deadline = deadline
            self.payload = payload
        }
    }

    package enum Action {
        case send(Command, to: Address)
        case fail(Command, RedisError)
        /// Who has the slot is to be found out.
        case doubt
    }

    private enum State {
        case steady
        /// Until then, or until the slot is known to be elsewhere.
        case held(until: NIODeadline)
        case probing(Int64)
    }

    /// Who has the slot; nil where nobody is known to.
    private var place: Address?
    /// Who has it, or had it last.
    private var home: Address?
    /// Where that which is under way was sent.
    package private(set) var target: Address?
    private var state = State.steady
    private var underWay = Deque<Command>()
    /// Not run, and older than all that waits.
    private var returned = Deque<Command>()
    private var waiting = Deque<Command>()
    /// Since when no server runs anything for the slot; nil where one does, or it is on the move.
    private var downSince: NIODeadline?
    /// Since when servers only answer that it is elsewhere or on its way; nil where one has run something since.
    private var onTheMoveSince: NIODeadline?
    private let failFastAfter: TimeAmount
    private let onAnotherServer: OnAnotherServer

    /// How soon what was refused is tried again where nothing has changed.
    private static var pause: TimeAmount { .milliseconds(100) }

    package init(configuration: RedisConfiguration) {
        failFastAfter = TimeAmount(configuration.failFastAfter)
        onAnotherServer = configuration.onAnotherServer
    }

    /// Where what is under way went, if the slot is known to be elsewhere by now.
    package var strayTarget: Address? {
        underWay.isEmpty || target == place ? nil : target
    }

    /// Whether all goes straight to the server that has the slot.
    package var isSteady: Bool { if case .steady = state { place != nil } else { false } }

    package var heldCount: Int { returned.count + waiting.count }

    /// For how long nothing has run for the slot since it was found to be on the move; zero where it is not.
    package func standstill(now: NIODeadline) -> TimeAmount { onTheMoveSince.map { now - $0 } ?? .zero }

    package mutating func submitted(_ command: Command, now: NIODeadline) -> [Action] {
        // But for one at a time, which finds out whether it is over.
        if let downSince, now - downSince > failFastAfter, heldCount > 0 || !underWay.isEmpty {
            return [.fail(command, .unavailable("no server runs anything for its slot"))]
        }
        if place == nil, downSince == nil { downSince = now }
        waiting.append(command)
        return release(now: now)
    }

    /// It ran, or failed for good: the caller has its answer. What it has overtaken must not run after it.
    package mutating func answered(_ number: Int64, now: NIODeadline) -> [Action] {
        guard remove(number) != nil else { return [] }
        (downSince, onTheMoveSince) = (nil, nil)
        if case .probing(number) = state { state = .steady }
        var actions: [Action] = []
        while let first = returned.first, first.number < number {
            returned.removeFirst()
            actions.append(Self.failure(of: first, because: Self.overtaken))
        }
        return actions + release(now: now)
    }

    /// The server did not run it.
    ///
    /// - Parameters:
    ///   - isDown: since it cannot run any, rather than that the slot is elsewhere or on its way.
    ///   - mayHaveRun: whether its link had sent it before, and lost what was said to that.
    package mutating func refused(_ number: Int64, isDown: Bool, mayHaveRun: Bool, now: NIODeadline) -> [Action] {
        guard var command = remove(number) else { return [] }
        command.isRetry = command.isRetry || mayHaveRun
        command.isRefused = true
        if isDown {
            (downSince, onTheMoveSince) = (downSince ?? now, nil)
        } else {
            (downSince, onTheMoveSince) = (nil, onTheMoveSince ?? now)
        }
        // The server that the slot has left says nothing of the one that has it.
        let isElsewhere = target != home
        state = .held(until: isElsewhere ? now : now + Self.pause)
        if isElsewhere, onAnotherServer == .fail {
            return [.doubt, Self.failure(of: command, because: Self.anotherServer)] + release(now: now)
        }
        // It may have run before its link was lost, and those that were not sent again since were refused before that.
        let overtaken = mayHaveRun ? takeRefused(before: number) { !$0.isRetry } : []
        putBack(command)
        return [.doubt] + overtaken + release(now: now)
    }

    /// The caller was told by its link that it failed: it is out.
    package mutating func failed(_ number: Int64, now: NIODeadline) -> [Action] {
        guard remove(number) != nil else { return [] }
        if case .probing(number) = state { state = .held(until: now + Self.pause) }
        return release(now: now)
    }

    /// Its link is away and the slot is another's by now: it was taken back. What it may have overtaken must not run after
    /// it.
    package mutating func withdrawn(_ number: Int64, mayHaveRun: Bool, now: NIODeadline) -> [Action] {
        guard var command = remove(number) else { return [] }
        command.isRetry = command.isRetry || mayHaveRun
        if case .probing(number) = state { state = .held(until: now) }
        guard onAnotherServer == .sendAgain else {
            return [Self.failure(of: command, because: Self.anotherServer)] + release(now: now)
        }
        let overtaken = command.isRetry ? takeRefused(before: number) { _ in true } : []
        putBack(command)
        return overtaken + release(now: now)
    }

    private mutating func takeRefused(before number: Int64, where isMeant: (Command) -> Bool) -> [Action] {
        guard returned.contains(where: { $0.isRefused && $0.number < number && isMeant($0) }) else { return [] }
        var failures: [Action] = []
        returned.removeAll { command in
            guard command.isRefused, command.number < number, isMeant(command) else { return false }
            failures.append(Self.failure(of: command, because: Self.overtaken))
            return true
        }
        return failures
    }

    /// This server has the slot, or nobody has.
    package mutating func mapped(to place: Address?, now: NIODeadline) -> [Action] {
        guard place != self.place else { return [] }
        self.place = place
        onTheMoveSince = nil
        if case .held = state { state = .held(until: now) }
        guard let place else { return [] }
        downSince = nil
        defer { home = place }
        guard onAnotherServer == .fail, let home, home != place else { return release(now: now) }
        return takeHeld().map { Self.failure(of: $0, because: Self.anotherServer) } + release(now: now)
    }

    package mutating func ticked(now: NIODeadline) -> [Action] {
        guard heldCount > 0 else { return [] }
        return Self.expire(&returned, now: now) + Self.expire(&waiting, now: now) + release(now: now)
    }

    /// Takes all that is held; nothing is under way any more.
    package mutating func closed() -> [Command] {
        underWay = []
        return takeHeld()
    }

    private mutating func takeHeld() -> [Command] {
        defer { (returned, waiting) = ([], []) }
        return Array(returned) + Array(waiting)
    }

    private mutating func release(now: NIODeadline) -> [Action] {
        guard let place, underWay.isEmpty || target == place else { return [] }
        switch state {
        case .probing: return []
        case .held(let until):
            guard underWay.isEmpty else { return [] }
            guard heldCount > 0 else {
                state = .steady
                return []
            }
            guard until <= now, let first = returned.popFirst() ?? waiting.popFirst() else { return [] }
            state = .probing(first.number)
            return [send(first, to: place)]
        case .steady:
            var actions: [Action] = []
            while let next = returned.popFirst() ?? waiting.popFirst() { actions.append(send(next, to: place)) }
            return actions
        }
    }

    private mutating func send(_ command: Command, to place: Address) -> Action {
        var command = command
        command.isRefused = false
        target = place
        underWay.append(command)
        return .send(command, to: place)
    }

    /// Answers come nearly always in the order in which was sent.
    private mutating func remove(_ number: Int64) -> Command? {
        if underWay.first?.number == number { return underWay.popFirst() }
        return underWay.firstIndex { $0.number == number }.map { underWay.remove(at: $0) }
    }

    private mutating func putBack(_ command: Command) {
        if returned.last.map({ $0.number < command.number }) ?? true {
            returned.append(command)
        } else {
            let index = returned.firstIndex { $0.number > command.number } ?? returned.endIndex
            returned.insert(command, at: index)
        }
    }

    private static func expire(_ commands: inout Deque<Command>, now: NIODeadline) -> [Action] {
        guard commands.contains(where: { $0.deadline <= now }) else { return [] }
        var failures: [Action] = []
        commands.removeAll { command in
            guard command.deadline <= now else { return false }
            failures.append(failure(of: command, because: "no server runs it in time"))
            return true
        }
        return failures
    }

    private static var overtaken: String { "a later command for the same slot ran first" }
    private static var anotherServer: String { "this is another server" }

    /// What may have run is in doubt, whatever the reason.
    private static func failure(of command: Command, because reason: String) -> Action {
        .fail(command, command.isRetry ? .timeout : .unavailable(reason))
    }
}
