/// The conditions outside a track at the moment of an input.
package struct TrackConditions: Sendable {
    package struct Settings: Sendable {
        /// Missed messages given to a listener at once.
        package var recoverLimit: Int
        /// How long a listener waits for Redis.
        package var followTimeout: Duration = .seconds(5)
        /// How long the channel may lag behind a position before the log is asked instead.
        package var maxLag: Duration = .milliseconds(100)
        /// The same where the log keeps nothing.
        package var maxLagWithoutLog: Duration = .seconds(2)
        /// How long a room is followed after the last listener has gone.
        package var lingering: Duration = .seconds(2)
        /// After which a roster that Redis had lost and is given again is taken to be whole, if nobody more comes.
        package var rosterSettling: Duration = .seconds(2)
        /// Messages asked of the log at once where the channel left a hole.
        package var catchUpLimit = 200

        package init(recoverLimit: Int) {
            self.recoverLimit = recoverLimit
        }
    }

    package var now: MonotonicTime
    /// Whether the link that brings the stream's channel stands.
    package var isConnected: Bool
    /// How often that link has been lost.
    package var breaks: Int
    /// Whether the link for questions stands.
    package var isAnswered: Bool
    /// Whether the stream comes over a channel of the node's, which stands whenever the link does.
    package var isInbox: Bool
    package var keepsRoster: Bool
    package var limits: LogLimits
    package var settings: Settings

    package init(
        now: MonotonicTime, isConnected: Bool, breaks: Int, isAnswered: Bool, isInbox: Bool, keepsRoster: Bool,
        limits: LogLimits, settings: Settings
    ) {
        self.now = now
        self.isConnected = isConnected
        self.breaks = breaks
        self.isAnswered = isAnswered
        self.isInbox = isInbox
        self.keepsRoster = keepsRoster
        self.limits = limits
        self.settings = settings
    }

    /// How long the channel may lag behind a listener's position; of a room that keeps nothing the log can only say that
    /// messages were lost, so the channel is waited for longer.
    var patience: Duration { limits.size > 0 ? settings.maxLag : settings.maxLagWithoutLog }
}
