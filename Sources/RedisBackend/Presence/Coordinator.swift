import GatewayCore
import Logging
import NIOCore

/// Looks after the partitions that fall to this node: sweeps the dead, ends graces, renews what all share.
///
/// Its fencing token in a partition grows with each claim; a sweep under an older token is refused, so one that stalls
/// and wakes after another has taken over does no harm.
///
/// `@unchecked Sendable`: all mutable state is touched on the link's loop only.
final class Coordinator: @unchecked Sendable {
    /// A partition, as far as this node looks after it.
    private struct PartitionState {
        /// Nil while the partition is another's or is being claimed.
        var token: String?
        /// Whether Redis may know it as this node's though the node does not: then nobody else gets it as long as the node
        /// lives.
        var mayBeOurs = false
        var isClaiming = false
        /// A look or a sweep is under way: there is never more than one.
        var isBusy = false
        var mustLookAgain = false
        /// Whether the last look found nothing that has to go, now or as soon as the index or a fence changes.
        var isCalm = false
        /// After how many steps of Redis's clock the graces there have begun anew.
        var steps = 0
        var alarm: Scheduled<Void>?
    }

    private let store: Store
    private let settings: PresenceSettings
    private let sweeper: Sweeper
    private let nodeId: String
    private let counters: BackendCounters
    private let logger: Logger
    private var states = [PartitionState](repeating: PartitionState(), count: Partition.count)
    private var index: IndexSnapshot?
    /// Beats so far.
    private var turn = 0
    private var isStopped = false
    /// Told of each token that this node gets in a partition, and of nil where it loses one; set before the start.
    var onToken: @Sendable (Partition, String?) -> Void = { _, _ in }
    /// Told what Redis refuses this node of its part, and of nil once it refuses nothing; set before the start.
    var onProblem: @Sendable (String?) -> Void = { _ in }
    private var renewing: RepeatedTask?
    private var duties: Duties
    private var problem: String?

    private var loop: any EventLoop { store.link.eventLoop }

    init(
        store: Store, settings: PresenceSettings, nodeId: String, counters: BackendCounters,
        writtenFormat: WrittenFormat, logger: Logger
    ) {
        self.store = store
        self.settings = settings
        self.counters = counters
        sweeper = Sweeper(store: store, settings: settings, isCounting: { writtenFormat.knowsGuests }) {
            counters.swept(ghosts: $0)
        }
        duties = Duties(patience: settings.dutyPatience)
        self.nodeId = nodeId
        self.logger = logger
    }

    func start() {
        loop.execute { [self] in
            let delay = TimeAmount(settings.renewal)
            renewing = loop.scheduleRepeatedTask(initialDelay: delay, delay: delay) { _ in self.renewShared() }
        }
    }

    /// Hands on all partitions; done when that is told, or after `limit`.
    func stop(within limit: TimeAmount) -> EventLoopFuture<Void> {
        loop.flatSubmit { [self] in
            isStopped = true
            renewing?.cancel()
            let told = Partition.all.compactMap { partition in
                states[partition.number].token.map { yield(partition, token: $0, timeout: limit) }
            }
            for number in states.indices { states[number].alarm?.cancel() }
            return EventLoopFuture.andAllComplete(told, on: loop)
        }
    }

    /// A beat showed the index: what falls to this node is claimed, what does not is handed on, and all that is this
    /// node's is looked at where the index has changed, so that what the beat declared dead is swept at once. Partitions
    /// in which nothing has to go are else looked at in turns, often enough that no grace ends unseen.
    func beaten(_ snapshot: IndexSnapshot) {
        loop.assertInEventLoop()
        guard !isStopped, let incarnation = snapshot.incarnations[nodeId] else { return }
        let coordinators = snapshot.coordinators
        let hasChanged =
            index?.incarnations != snapshot.incarnations || index?.spares != snapshot.spares
            || index?.clock.steps != snapshot.clock.steps
        index = snapshot
        turn += 1
        tell(duties.problem(now: .now))
        let own = Holder(node: nodeId, incarnation: incarnation)
        let names = coordinators.map(\.node)
        for partition in Partition.all {
            let isOurs = Rendezvous.coordinator(of: partition, among: names) == nodeId
            if let token = states[partition.number].token {
                if isOurs, token.hasPrefix("\(own) ") {
                    let isItsTurn = (turn + partition.number).isMultiple(of: beatsBetweenLooks)
                    if hasChanged || isItsTurn || !states[partition.number].isCalm { look(partition) }
                } else {
                    _ = yield(partition, token: token, timeout: nil)
                    if isOurs { claim(partition, own, among: coordinators) }
                }
            } else if isOurs || states[partition.number].mayBeOurs {
                // What is not this node's by now is handed on with the next beat.
                claim(partition, own, among: coordinators)
            }
        }
    }

    /// The host of a room has left it; told on any thread.
    func vacated(_ room: RoomName) {
        loop.execute { [self] in
            if !isStopped { look(Partition(of: room)) }
        }
    }

    /// What the node knows of the index is of before: it may be in it no more, and its tokens may be void.
    func lost() {
        loop.assertInEventLoop()
        index = nil
        for partition in Partition.all {
            if states[partition.number].token != nil { states[partition.number].mayBeOurs = true }
            drop(partition)
        }
    }

    private func claim(_ partition: Partition, _ own: Holder, among coordinators: [Holder]) {
        guard !states[partition.number].isClaiming else { return }
        states[partition.number].isClaiming = true
        store.call(ClaimPartition(partition, for: own, live: coordinators)) { [self] result in
            states[partition.number].isClaiming = false
            if case .success = result { states[partition.number].mayBeOurs = false }
            doubt(partition, after: result)
            record("claim", result)
            guard case .success(.claimed(let token)) = result, !isStopped else { return }
            states[partition.number].token = token
            states[partition.number].isCalm = false
            count()
            onToken(partition, token)
            // Redis's clock may have stepped before this node could see it, as a coordinator died.
            store.call(Prolong(.bound, partition, token: token, settings: settings)) { [self] in record("prolong", $0) }
            look(partition)
        }
    }

    private func yield(_ partition: Partition, token: String, timeout: TimeAmount?) -> EventLoopFuture<Void> {
        drop(partition)
        let told = loop.makePromise(of: Void.self)
        store.call(YieldPartition(partition, token: token), timeout: timeout) { [self] result in
            doubt(partition, after: result)
            told.succeed()
        }
        return told.futureResult
    }

    /// A claim or a yield that failed may have been carried out, or not; what this node has no right to do it has not done.
    private func doubt<Answer>(_ partition: Partition, after result: Result<Answer, CallError>) {
        guard case .failure(let error) = result, error.refusalOfCaller == nil else { return }
        states[partition.number].mayBeOurs = true
    }

    private func drop(_ partition: Partition) {
        states[partition.number].token = nil
        count()
        onToken(partition, nil)
        states[partition.number].alarm?.cancel()
        states[partition.number].alarm = nil
    }

    private func count() { counters.coordinates(states.count(where: { $0.token != nil })) }

    /// Asks what the partition holds, and sweeps what must be.
    private func look(_ partition: Partition) {
        guard let token = states[partition.number].token, let clock = index?.clock else { return }
        guard !states[partition.number].isBusy else {
            states[partition.number].mustLookAgain = true
            return
        }
        states[partition.number].isBusy = true
        states[partition.number].mustLookAgain = false
        if states[partition.number].steps != clock.steps { prolong(partition, token, steps: clock.steps) }
        let latest = clock.latest(now: NIODeadline.now().milliseconds)
        sweeper.look(partition, token: token, latest: latest) { [self] finding in
            switch finding {
            case .refused:
                rest(partition, isRefused: true, token)
            case .failed(let error):
                record("look", error)
                states[partition.number].isCalm = false
                rest(partition, isRefused: false, token)
            case .found(let found):
                record("look", nil)
                sweep(partition, found, token)
            }
        }
    }

    /// Asked before a look, and answered before it.
    private func prolong(_ partition: Partition, _ token: String, steps: Int) {
        store.call(Prolong(.anew, partition, token: token, settings: settings)) { [self] result in
            record("prolong", result)
            if case .success(.prolonged) = result { states[partition.number].steps = steps }
        }
    }

    private func sweep(_ partition: Partition, _ found: Look.Found, _ token: String) {
        let dead = found.holders.filter { index?.mustSweep($0.holder, fence: $0.fence) ?? false }.map(\.holder)
        if let next = found.nextGraceEnd { wake(partition, in: .milliseconds(next - found.dueBy + 1)) }
        let areHere = found.holders.allSatisfy { index?.incarnations[$0.holder.node] == $0.holder.incarnation }
        states[partition.number].isCalm = areHere && found.due.isEmpty && found.vacant.isEmpty
        for room in found.vacant { handOver(room, token) }
        if found.due.count == Sweep.most { states[partition.number].mustLookAgain = true }
        for holder in dead {
            logger.info(
                "A dead node is swept out of a partition",
                metadata: ["holder": "\(holder)", "partition": "\(partition.number)"])
        }
        sweeper.sweep(partition, dead: dead, due: found.due, by: found.dueBy, token: token) { [self] outcome in
            switch outcome {
            case .swept:
                // What had nothing to do says nothing of what Redis would have let it do.
                if !dead.isEmpty || !found.due.isEmpty { record("sweep", nil) }
                counters.swept(holders: dead.count)
                rest(partition, isRefused: false, token)
            case .refused: rest(partition, isRefused: true, token)
            case .failed(let error):
                record("sweep", error)
                rest(partition, isRefused: false, token)
            }
        }
    }

    /// Finds who follows the host of a room. Whoever has left meanwhile, or come, is looked at again.
    private func handOver(_ room: RoomName, _ token: String) {
        store.call(ReadChair(of: room, token: token)) { [self] result in
            record("chair", result)
            let (successor, version): (UserID?, Int64)
            switch result {
            case .success(.vacant(let chair)): (successor, version) = (chair.successor, chair.version)
            case .success(.kept): (successor, version) = (nil, 0)
            case .success(.refused), .failure: return
            }
            let call = HandOver(room, to: successor, seen: version, token: token, settings: settings)
            store.call(call) { [self] result in
                record("hand_over", result)
                guard case .success(.moved) = result, !isStopped else { return }
                look(Partition(of: room))
            }
        }
    }

    private func record<Answer>(_ call: String, _ result: Result<Answer, CallError>) {
        switch result {
        case .success: record(call, nil)
        case .failure(let error): record(call, error)
        }
    }

    /// A call was carried out, or not: whoever is refused what it does for all is not to do it.
    private func record(_ call: String, _ error: CallError?) {
        // A link that is away has not been refused anything.
        if let error, error.refusalOfCaller == nil { return }
        duties.answered(call, refusal: error?.refusalOfCaller, now: .now)
        tell(duties.problem(now: .now))
    }

    private func tell(_ found: String?) {
        guard found != problem else { return }
        problem = found
        if let found {
            logger.error("Redis refuses this node what it does for all nodes", metadata: ["reason": "\(found)"])
        } else {
            logger.info("What Redis refused this node of what it does for all nodes is carried out, or tried again")
        }
        onProblem(found)
    }

    private func rest(_ partition: Partition, isRefused: Bool, _ token: String) {
        states[partition.number].isBusy = false
        if isRefused, states[partition.number].token == token { drop(partition) }
        if states[partition.number].mustLookAgain { look(partition) }
    }

    /// A grace that has begun since a look is found by the next before it ends.
    private var beatsBetweenLooks: Int { max(1, min(4, Int(settings.grace / settings.interval) - 1)) }

    /// Looks again when the next grace ends, if no beat comes before.
    private func wake(_ partition: Partition, in delay: TimeAmount) {
        guard delay < TimeAmount(settings.interval * beatsBetweenLooks) else { return }
        states[partition.number].alarm?.cancel()
        states[partition.number].alarm = loop.scheduleTask(in: delay) { [self] in
            guard !isStopped else { return }
            look(partition)
        }
    }

    /// Whoever was last seen too long ago, and the longest away where they are too many.
    private func forgetSeen(_ partition: Partition) {
        let seen = store.keys.seen(partition)
        store.send(.keep(highest: settings.seenUsersOfPartition, of: seen))
        // By the clock of the last beat; that it is a beat old does not matter for an age of days.
        guard let now = index?.now else { return }
        store.send(.forget(upTo: now - settings.seenAge.milliseconds, in: seen))
    }

    /// Keys that no single node holds live as long as their partition is looked after; whoever holds anything in it renews
    /// them too.
    private func renewShared() {
        for partition in Partition.all {
            guard let token = states[partition.number].token else { continue }
            store.touch(store.shared(in: partition, settings))
            store.call(Shrink([(store.keys.events(partition), settings.ledgerBytes)])) { _ in }
            forgetSeen(partition)
            pruneGoverned(partition)
            if let idle = settings.idleLedger { trimIdleLedger(partition, token: token, idle) }
        }
    }

    /// Some of the rooms at a time; what is left is met again.
    private func pruneGoverned(_ partition: Partition) {
        store.send(.someRooms(of: store.keys.governed(partition), most: Prune.most)) { [store] result in
            guard case .success(let rooms) = result, !rooms.isEmpty else { return }
            store.call(Prune(rooms, in: partition)) { _ in }
        }
    }

    /// Receivers that this node has would trim it; here it is what nobody waits for that goes. Whose places they are that
    /// stand there is for a node to say that has receivers.
    private func trimIdleLedger(_ partition: Partition, token: String, _ idle: WebhookLedgerSettings) {
        let assignment = LedgerAssignment(partition: partition.number, token: token)
        store.call(Trim(assignment, receivers: [], kept: idle.kept, forgottenAfter: nil)) { _ in }
    }
}
