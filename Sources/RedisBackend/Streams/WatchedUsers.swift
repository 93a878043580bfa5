import GatewayCore
import NIOCore

/// Performs what following users' states calls for: subscribes, asks Redis, tells the hubs.
///
/// `@unchecked Sendable`: it belongs to the router's loop.
final class WatchedUsers: @unchecked Sendable {
    private let loop: any EventLoop
    private let store: Store
    private let link: ChannelLink
    private let outboxes: HubOutboxes
    private let ticker: Ticker
    private var machine: WatchMachine
    private var isReadScheduled = false

    init(
        loop: any EventLoop, store: Store, link: ChannelLink, outboxes: HubOutboxes, ticker: Ticker,
        settings: WatchMachine.Settings
    ) {
        self.loop = loop
        self.store = store
        self.link = link
        self.outboxes = outboxes
        self.ticker = ticker
        machine = WatchMachine(settings)
    }

    /// Whether something waits for time to pass.
    var isWaiting: Bool { machine.isWaiting }

    /// Of all who are watched.
    var channels: [String] { machine.users.map(channel) }

    func watch(_ users: [UserID], held: Int, ticket: FollowTicket, hub: HubNumber) {
        perform(machine.watch(users, held: held, ticket: ticket, hub: hub, now: .now))
    }

    func unwatch(_ user: UserID, hub: HubNumber) {
        machine.unwatch(user, hub: hub, now: .now)
        perform([])
    }

    func subscribed(_ user: UserID) {
        perform(machine.subscribed(user))
    }

    func heard(_ state: KnownState, of user: UserID) {
        perform(machine.heard(state, of: user))
    }

    func linkLost(_ partitions: PartitionSet) {
        machine.linkLost { partitions.contains(Partition(of: $0.string)) }
    }

    func linkReturned() {
        if machine.hasUnread { scheduleRead() }
    }

    /// All of these partitions are asked about again: something may have been missed.
    func doubt(_ partitions: PartitionSet) {
        perform(machine.doubt { partitions.contains(Partition(of: $0.string)) })
    }

    func ticked(now: MonotonicTime) {
        perform(machine.ticked(now: now))
    }

    private func perform(_ actions: [WatchMachine.Action]) {
        for action in actions {
            switch action {
            case .subscribe(let users): link.subscribe(users.map(channel))
            case .unsubscribe(let users): link.unsubscribe(users.map(channel))
            case .read: scheduleRead()
            case .askLater(let one, let delay):
                loop.scheduleTask(in: TimeAmount(delay)) { [self] in perform(machine.askAgain(one)) }
            case .tell(let change, let hubs): outboxes.add(.status(change), to: hubs)
            case .answer(let ticket, let hub, let users):
                outboxes.add(.watching(ticket: ticket, users: users), to: hub)
            case .fail(let ticket, let hub, let error):
                outboxes.add(.watchFailed(ticket: ticket, error: error), to: hub)
            }
        }
        if machine.isWaiting { ticker.wake() }
    }

    /// Asks at the end of the turn, together with others.
    private func scheduleRead() {
        guard !isReadScheduled, link.standing.contains(where: store.isConnected) else { return }
        isReadScheduled = true
        loop.execute { [self] in
            isReadScheduled = false
            read()
        }
    }

    /// While a link is away it waits for the tick.
    private func read() {
        let reachable = PartitionSet(link.standing.lazy.filter(store.isConnected))
        let due = machine.takeUnread { reachable.contains(Partition(of: $0.string)) }
        for (partition, all) in Dictionary(grouping: due, by: { Partition(of: $0.user.string) }) {
            for start in stride(from: 0, to: all.count, by: ReadStates.most) {
                let batch = all[start..<min(start + ReadStates.most, all.count)]
                read(WatchMachine.Question(users: Array(batch), breaks: link.breaks(of: partition)), partition)
            }
        }
    }

    private func read(_ question: WatchMachine.Question, _ partition: Partition) {
        store.call(ReadStates(of: question.users.map(\.user), in: partition)) { [self] result in
            let states = try? result.get().map {  // Asked again: the reason is the link's to tell.
                KnownState(onlineSince: $0.onlineSince, isAway: $0.isAway, lastSeen: $0.lastSeen)
            }
            perform(machine.answered(question, states, breaks: link.breaks(of: partition), now: .now))
        }
    }

    private func channel(of user: UserID) -> String {
        store.keys.status(of: user).name
    }
}
