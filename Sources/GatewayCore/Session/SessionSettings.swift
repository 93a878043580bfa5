/// The settings that all sessions of a node share: one instance serves them all.
package final class SessionSettings: Sendable {
    package let rules: RoomRules
    package let watchRight: WatchRight
    package let limits: SessionLimits
    /// Whether clients prove who they are by tokens; without, `auth` frames mean nothing.
    package let takesTokens: Bool
    /// Whether they are checked here; without, the backend judges them.
    package let checksTokens: Bool
    /// Whether the backend is asked who is let in.
    package let asksBackend: Bool
    /// Whether a client that shows nothing is a guest.
    package let takesGuests: Bool

    package init(
        rules: RoomRules = RoomRules(), watchRight: WatchRight = .anyone, limits: SessionLimits = SessionLimits(),
        takesTokens: Bool, checksTokens: Bool = true, asksBackend: Bool = false, takesGuests: Bool = false
    ) {
        self.rules = rules
        self.watchRight = watchRight
        self.limits = limits
        self.takesTokens = takesTokens
        self.checksTokens = checksTokens
        self.asksBackend = asksBackend
        self.takesGuests = takesGuests
    }

    /// Whether clients whose token says nothing about rooms may be told who is in this one.
    package func showsPresence(in room: RoomName) -> Bool {
        switch rules.presence(of: room) {
        case .full: rules.rules.first { $0.pattern.matches(room) }?.allow.contains(.presence) ?? true
        case .off: false
        }
    }
}

/// The limits on what one connection may ask for.
package struct SessionLimits: Hashable, Sendable {
    package var maxRooms: Int
    /// Users watched by one connection.
    package var maxWatched: Int
    /// Users in one `watch`.
    package var maxWatchedAtOnce: Int
    /// Questions at once about who is in a room with the client.
    package var maxWatchChecks = 4
    package var rate: RateLimit
    /// How often a room may be joined that the connection is not in.
    package var joins: RateLimit
    /// Volatile messages of one visitor.
    package var visitorEvents = RateLimit(perSecond: 10, burst: 10)
    /// Users in a room that its visitors are shown in.
    package var maxShownMembers = 1000
    /// From the opening to `welcome`.
    package var authTimeout: Duration
    /// How long the rooms of a resumed session wait for their positions.
    package var resumeTimeout: Duration
    /// How long a token is still good after it has expired.
    package var leeway: Duration
    /// Frames that wait for `welcome` or for the answer to a `join`.
    package var maxWaitingFrames: Int
    /// Bytes of payload in them.
    package var maxWaitingBytes: Int
    /// Pages of history and of members at once, from the request until they have left the socket.
    package var maxReads: Int
    /// Bytes of one page; a longer one is cut and says that there is more.
    package var maxPageBytes: Int
    /// Unreadable frames in a row that close the connection.
    package var maxMalformed: Int

    package init(
        maxRooms: Int = 200, maxWatched: Int = 1000, maxWatchedAtOnce: Int = 1000, rate: RateLimit = RateLimit(),
        joins: RateLimit = .joins,
        authTimeout: Duration = .seconds(10), resumeTimeout: Duration = .seconds(10), leeway: Duration = .seconds(1),
        maxWaitingFrames: Int = 64, maxWaitingBytes: Int = 1 << 20, maxReads: Int = 4, maxPageBytes: Int = 1 << 19,
        maxMalformed: Int = 10
    ) {
        self.maxRooms = maxRooms
        self.maxWatched = maxWatched
        self.maxWatchedAtOnce = maxWatchedAtOnce
        self.rate = rate
        self.joins = joins
        self.authTimeout = authTimeout
        self.resumeTimeout = resumeTimeout
        self.leeway = leeway
        self.maxWaitingFrames = maxWaitingFrames
        self.maxWaitingBytes = maxWaitingBytes
        self.maxReads = maxReads
        self.maxPageBytes = maxPageBytes
        self.maxMalformed = maxMalformed
    }
}
