import GatewayCore
import Logging
import Metrics

/// The dependencies and settings that all hubs of a server share.
package struct HubDependencies: Sendable {
    package let configuration: SocketServerConfiguration
    package let census: Census
    package let shares: DescriptorShares
    let settings: SessionSettings
    let rules: HandshakeRules
    let metrics: SocketMetrics
    let refusals: RefusalLog
    let streams: any RoomStreams
    let log: any MessageLog
    let presence: any Presence
    let presenceDirectory: any PresenceDirectory
    let governor: any RoomGovernor
    let logger: Logger
    let clocks: Clocks
    let budgets: SharedBudgets
    /// Nil where nobody wants to know who spends most.
    let tally: (any SpendingTally)?
    let memory: MemoryAccount
    let probe: SocketProbe
    let apps = AppConnections()
    /// Of clients that are sent away, but for a drain's.
    let departures = DeparturePace()

    package init(
        configuration: SocketServerConfiguration, streams: any RoomStreams, log: any MessageLog,
        presence: any Presence, presenceDirectory: any PresenceDirectory, governor: any RoomGovernor,
        metrics: any MetricsFactory,
        logger: Logger, clocks: Clocks = .system, tally: (any SpendingTally)? = nil,
        memory: MemoryAccount = MemoryAccount(budget: .max), probe: SocketProbe = .system
    ) {
        self.configuration = configuration
        shares = configuration.descriptorShares
        census = Census(
            maxConnections: shares.clients, spare: shares.spare, maxPerAddress: configuration.maxConnectionsPerAddress,
            acceptRate: AcceptRate(limit: configuration.acceptRate))
        settings = configuration.sessionSettings
        rules = HandshakeRules(configuration)
        self.metrics = SocketMetrics(factory: metrics)
        refusals = RefusalLog(logger: logger)
        self.streams = streams
        self.log = log
        self.presence = presence
        self.presenceDirectory = presenceDirectory
        self.governor = governor
        self.logger = logger
        self.clocks = clocks
        budgets = SharedBudgets(
            settings: configuration.budgets, joins: settings.limits.joins, now: clocks.monotonic())
        self.tally = tally
        self.memory = memory
        self.probe = probe
    }
}
