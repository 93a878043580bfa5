import Logging
import NIOCore

/// The half of a command link to a Cluster that lives on its loop: one connection to each server, one route for each slot.
///
/// `@unchecked Sendable`: everything mutable in it is touched on its event loop alone; each entry point asserts that.
final class ClusterLinkCore: @unchecked Sendable {
    private typealias Place = RedisConfiguration.Endpoint
    private typealias Route = SlotRoute<CommandLinkCore.Submission>

    private let eventLoop: any EventLoop
    private let configuration: RedisConfiguration
    private let map: SlotMap
    private let slots: [KeySlot]
    private let logger: Logger
    private let scripts: [RedisScript]
    private let onServer: @Sendable (RedisConfiguration.Endpoint, RedisLinkState) -> Void
    private let onStandstill: @Sendable (Set<KeySlot>) -> Void
    private let commandTimeout: TimeAmount
    private var table = SlotTable()
    private var links: [Place: CommandLinkCore] = [:]
    /// What links to servers that have no slot any more have been, for when one comes back.
    private var former: [Place: [LinkIdentity]] = [:]
    private var routes: [KeySlot: Route]
    /// Of the last command that was handed in.
    private var lastNumber: Int64 = 0
    /// What one turn of the loop has for each server.
    private var outgoing: [Place: [CommandLinkCore.Submission]] = [:]
    private var ticking: RepeatedTask?
    /// On the move for so long that nobody seems to move them any more.
    private var standing: Set<KeySlot> = []
    private var nextLook = NIODeadline.uptimeNanoseconds(0)
    private var isStarted = false
    private var isStopped = false

    private static var tick: TimeAmount { .milliseconds(50) }
    /// No replica takes over sooner from a primary that stands still.
    private static var doubtsAfter: TimeAmount { .seconds(1) }
    /// A slot of a few MiB has moved by then.
    private static var standstillAfter: TimeAmount { .seconds(5) }
    /// Servers without a slot that are remembered.
    private static let mostFormer = 64

    init(
        configuration: RedisConfiguration, map: SlotMap, slots: [KeySlot], eventLoop: any EventLoop, logger: Logger,
        scripts: [RedisScript],
        onServer: @escaping @Sendable (RedisConfiguration.Endpoint, RedisLinkState) -> Void,
        onStandstill: @escaping @Sendable (Set<KeySlot>) -> Void
    ) {
        self.configuration = configuration
        self.map = map
        self.slots = slots
        self.eventLoop = eventLoop
        self.logger = logger
        self.scripts = scripts
        self.onServer = onServer
        self.onStandstill = onStandstill
        commandTimeout = TimeAmount(configuration.commandTimeout)
        routes = Dictionary(uniqueKeysWithValues: slots.map { ($0, Route(configuration: configuration)) })
    }

    func start() {
        eventLoop.assertInEventLoop()
        isStarted = true
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { [self] _ in ticked() }
        follow()
    }

    func shutdown() -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        isStopped = true
        ticking?.cancel()
        let closed = links.values.map { $0.shutdown() }
        links = [:]
        for slot in slots {
            for command in routes[slot]?.closed() ?? [] { command.payload.reply(.failure(.closed)) }
        }
        return EventLoopFuture.andAllComplete(closed, on: eventLoop)
    }

    func isConnected(for slot: KeySlot) -> Bool {
        eventLoop.assertInEventLoop()
        return table[slot].flatMap { links[$0]?.server } != nil
    }

    /// Gives the connections up that lead to this server.
    func leave(_ server: ServerID) {
        eventLoop.assertInEventLoop()
        for link in links.values { link.leave(server) }
    }

    /// A server has said who it is, as it was asked at this moment.
    func verify(_ place: RedisConfiguration.Endpoint, is server: ServerID, since moment: NIODeadline) {
        eventLoop.assertInEventLoop()
        guard let link = links[place], let known = link.server, known != server, link.connectedAt < moment else {
            return
        }
        link.leave(known)
    }

    /// Goes by the map as it is now.
    func follow() {
        eventLoop.assertInEventLoop()
        guard isStarted, !isStopped else { return }
        table = map.current
        let now = eventLoop.now
        for slot in slots {
            if let place = table[slot], links[place] == nil { connect(to: place) }
            perform(routes[slot]?.mapped(to: table[slot], now: now) ?? [], slot)
        }
        for link in links.values { link.reconsider() }
        withdraw()
        endOthers()
        flush()
    }

    /// Takes in what was handed in since the last time: one write and one flush for each server.
    func submit(_ submissions: [CommandLinkCore.Submission]) {
        eventLoop.assertInEventLoop()
        let now = eventLoop.now
        for submission in submissions {
            guard !isStopped, routes[submission.slot] != nil else {
                submission.reply(.failure(isStopped ? .closed : .unavailable("no slot of this link")))
                continue
            }
            lastNumber += 1
            let command = Route.Command(
                number: lastNumber, deadline: now + (submission.timeout ?? commandTimeout), payload: submission)
            guard heldCount(submission.slot) < configuration.maxQueuedCommands else {
                submission.reply(.failure(.unavailable("the queue is full")))
                continue
            }
            perform(routes[submission.slot]?.submitted(command, now: now) ?? [], submission.slot)
        }
        flush()
    }

    private func heldCount(_ slot: KeySlot) -> Int { routes[slot]?.heldCount ?? 0 }

    // MARK: Connections

    private func connect(to place: Place) {
        let link = CommandLinkCore(
            configuration: configuration, address: ShardAddress(at: place), eventLoop: eventLoop, logger: logger,
            scripts: scripts, former: former.removeValue(forKey: place) ?? [], doubtsAfter: Self.doubtsAfter, map: map,
            onState: { [weak self] state in self?.changed(place, state) })
        links[place] = link
        link.start()
    }

    private func changed(_ place: Place, _ state: RedisLinkState) {
        guard !isStopped else { return }
        switch state {
        case .connected: break
        case .disconnected, .unfit, .refused:
            map.isDoubtful()
            // A link tells of its end as the last thing that it does.
            withdraw()
            flush()
        }
        onServer(place, state)
    }

    /// Takes back from links that are away what is for slots that others have by now.
    private func withdraw() {
        let now = eventLoop.now
        for slot in slots {
            guard let stray = routes[slot]?.strayTarget, let link = links[stray], link.server == nil else { continue }
            for (number, mayHaveRun) in link.withdraw(slot) {
                perform(routes[slot]?.withdrawn(number, mayHaveRun: mayHaveRun, now: now) ?? [], slot)
            }
        }
    }

    /// Links to servers that have no slot any more are not needed, once all that went over them is answered.
    private func endOthers() {
        let needed = Set(table.places.values).union(slots.compactMap { routes[$0]?.strayTarget })
        for (place, link) in links where !needed.contains(place) {
            links[place] = nil
            if former.count < Self.mostFormer { former[place] = link.identities }
            // It closes by itself; nobody waits for it.
            _ = link.shutdown()
            onServer(place, .disconnected(reason: "it has no slot any more"))
        }
    }

    private func ticked() {
        let now = eventLoop.now
        for slot in slots where heldCount(slot) > 0 { perform(routes[slot]?.ticked(now: now) ?? [], slot) }
        endOthers()
        flush()
        lookForStandstill(now: now)
    }

    /// Once a second.
    private func lookForStandstill(now: NIODeadline) {
        guard now >= nextLook else { return }
        nextLook = now + .seconds(1)
        let found = slots.filter { (routes[$0]?.standstill(now: now) ?? .zero) >= Self.standstillAfter }
        guard Set(found) != standing else { return }
        standing = Set(found)
        onStandstill(standing)
    }

    // MARK: What the routes say

    private func perform(_ actions: [Route.Action], _ slot: KeySlot) {
        for action in actions {
            switch action {
            case .send(let command, let place): outgoing[place, default: []].append(submission(of: command, slot))
            case .fail(let command, let error): command.payload.reply(.failure(error))
            case .doubt: map.isDoubtful()
            }
        }
    }

    /// The command as it goes over one connection, with the time that is left to it.
    private func submission(of command: Route.Command, _ slot: KeySlot) -> CommandLinkCore.Submission {
        let (number, reply) = (command.number, command.payload.reply)
        return CommandLinkCore.Submission(
            arguments: command.payload.arguments, timeout: max(command.deadline - eventLoop.now, .zero),
            stalled: command.payload.stalled, slot: slot, number: number, isRetry: command.isRetry,
            reply: { [weak self] result in
                guard let self else { return reply(result) }
                answered(number, slot, result, reply)
            })
    }

    private func answered(
        _ number: Int64, _ slot: KeySlot, _ result: Result<RedisReply, RedisError>,
        _ reply: CommandPipeline.Callback
    ) {
        let now = eventLoop.now
        switch result {
        case .failure(.reply(let code, _)):
            if !isStopped, refused(number, slot, code, mayHaveRun: false, now: now) { break }
            reply(result)
            perform(routes[slot]?.answered(number, now: now) ?? [], slot)
        case .failure(.replyToRetry(let code, _, _)):
            if !isStopped, refused(number, slot, code, mayHaveRun: true, now: now) { break }
            reply(result)
            perform(routes[slot]?.answered(number, now: now) ?? [], slot)
        case .success:
            reply(result)
            perform(routes[slot]?.answered(number, now: now) ?? [], slot)
        case .failure:
            reply(result)
            perform(routes[slot]?.failed(number, now: now) ?? [], slot)
        }
        scheduleFlush()
    }

    /// Whether an error says that the server did not run the command, and not that it failed.
    private func refused(_ number: Int64, _ slot: KeySlot, _ code: String, mayHaveRun: Bool, now: NIODeadline) -> Bool {
        let isDown = code == ErrorReply.clusterDown
        guard isDown || ErrorReply.isRedirection(code) else { return false }
        perform(routes[slot]?.refused(number, isDown: isDown, mayHaveRun: mayHaveRun, now: now) ?? [], slot)
        return true
    }

    private var isFlushScheduled = false

    /// What answers have released goes out at the end of the turn.
    private func scheduleFlush() {
        guard !isFlushScheduled, !outgoing.isEmpty else { return }
        isFlushScheduled = true
        eventLoop.execute { [self] in
            isFlushScheduled = false
            flush()
        }
    }

    private func flush() {
        while !outgoing.isEmpty {
            let turn = outgoing
            outgoing = [:]
            for (place, submissions) in turn {
                guard let link = links[place] else {
                    for one in submissions {
                        one.reply(
                            .failure(one.isRetry ? .timeout : .unavailable("its server has no slot any more")))
                    }
                    continue
                }
                link.submit(submissions)
            }
        }
    }
}
