import Dialects
import GatewayCore
import NIOSSL

/// The configuration of the client port; the defaults are the contract's.
package struct SocketServerConfiguration: Sendable {
    /// The way in which clients say who they are.
    package enum Authentication: Sendable {
        /// By `?userId=`, believed as it stands.
        case none
        /// By a token that is checked.
        case jwt(any TokenVerifier)
        /// By whatever the backend makes of what they show, a token too.
        case hook
    }

    package var host = "127.0.0.1"
    /// 0 lets the system choose; `SocketServer.boundPort` tells which.
    package var port = 8080
    /// What each new connection speaks TLS with; nil: the port is plain.
    package var tls: (@Sendable () -> NIOSSLContext)?
    package var nodeId = "node"
    /// The node's version, which one of the client library's paths bears.
    package var version = "0"
    package var authentication = Authentication.none
    /// The backend that decides who is let in, and where rules say so who may join and publish; nil where none does.
    package var authorizer: (any Authorizer)?
    package var rules = RoomRules()
    /// Whose clients speak Pusher's protocol; none: nobody's do.
    package var apps = PusherApps()
    /// Whether clients that speak the gateway's own dialect may come without a user.
    package var takesGuests = false
    /// Whether clients that speak the gateway's own dialect are served.
    package var servesSessions = true
    /// Which session ids are worth asking for.
    package var sessionCheck: SessionCheck = { _ in .undecided }

    /// The largest message, over all its fragments.
    package var maxMessageBytes = 65_536
    /// How much one connection may ask for; what may wait for it, and what a page holds, follow from `maxQueuedBytes`.
    package var limits = SessionLimits()
    /// Who may watch whom.
    package var watchRight = WatchRight.anyone
    /// In rooms with more members, changes of the roster that come within a quarter of a second are told in one frame.
    package var presenceBundleAbove = 100
    package var budgets = BudgetSettings()
    /// Bytes that may wait for one client to read them: its rooms are fed from the log when half of it does.
    package var maxQueuedBytes = 1 << 20
    /// Bytes of one client's messages that Redis has not answered; more are unavailable.
    package var maxUnansweredBytes = 4 << 20
    /// What the system keeps for one client that does not read, at most; 0 leaves that to the system.
    package var sendBufferBytes = 512 << 10
    /// The pages that browsers may come from.
    package var origins: OriginRule = ["*"]
    /// The hosts that are answered; any but on a port of this machine alone where nobody has to prove who they are.
    package var fence = LoopbackFence.open
    /// Whose `X-Forwarded-For` is believed.
    package var trustedProxies: [AddressRange] = []
    /// 0, and what is more than that: the descriptor limit less 500.
    package var maxConnections = 0
    /// Sockets of one address, from the accept on; 0: no limit.
    package var maxConnectionsPerAddress = 1000
    /// Handshakes accepted in a second, those of clients that come back to a session first; 0: no limit.
    package var acceptRate = 5000
    /// Whose handshakes are refused; whoever keeps the list replaces it.
    package var bannedAddresses = BannedAddresses()
    package var heartbeatInterval = Duration.seconds(30)
    /// Pings in a row that may stay unanswered.
    package var missedHeartbeats = 3
    /// Nil where there are no TURN servers.
    package var turn: TurnServers?
    /// Calls of backends that are answered here as well; nil: none.
    package var calls: (any SignedCalls)?
    /// Bytes of all bodies of such calls on one loop that are coming in or being answered.
    package var maxCallBytes = 16 << 20
    /// Bytes of large frames, such as those with a whole roster, that may wait for one app's client beside the first of them.
    package var maxUnreadBytes = 16 << 20
    /// How long a call may take from the end of its head to its answer.
    package var callTimeout = Duration.seconds(30)
    /// Whether clients that offer permessage-deflate get it (RFC 7692).
    package var isCompressing = true
    /// Whether `/echo` answers.
    package var isEchoing = false
    /// From the accept to the end of the request's headers.
    package var handshakeTimeout = Duration.seconds(5)
    /// The target, names and values of all headers of a request together: room for a token of 16 KiB.
    package var maxHeaderBytes = 24 << 10
    /// How long a closing connection may take before it is cut.
    package var closeTimeout = Duration.seconds(3)
    /// How long a shutdown waits for clients to leave by themselves.
    package var drainTimeout = Duration.seconds(30)
    /// Clients that are to come back elsewhere, in each second of a shutdown; more where half of `drainTimeout` would not do.
    package var drainRate = 500

    package init() {}

    /// What clients are told at the beginning, so that they keep to it.
    var clientLimits: ClientLimits {
        ClientLimits(
            messageBytes: maxMessageBytes, messagesPerSecond: limits.rate.perSecond, messageBurst: limits.rate.burst,
            rooms: limits.maxRooms, watched: limits.maxWatched)
    }

    /// What of the descriptors is for whom, as the limit is now.
    var descriptorShares: DescriptorShares {
        DescriptorShares(limit: FileDescriptorLimit.current, wanted: maxConnections)
    }

    /// Whether this address is believed to say whose connections it brings.
    func trusts(_ address: IPAddress) -> Bool { trustedProxies.contains { $0.contains(address) } }

    /// What may wait for a client that is sent everything as it comes.
    var maxLiveBytes: Int { maxQueuedBytes / 2 }

    /// What the sessions of a server share.
    package var sessionSettings: SessionSettings {
        var limits = limits
        limits.maxWaitingBytes = maxQueuedBytes
        // All pages at once are half of what may wait for the client: the rest is for what is live, and missed.
        limits.maxPageBytes = maxQueuedBytes / (2 * limits.maxReads)
        return SessionSettings(
            rules: rules, watchRight: watchRight, limits: limits,
            takesTokens: authentication.takesTokens, checksTokens: authentication.checksTokens,
            asksBackend: authorizer != nil, takesGuests: takesGuests)
    }
}

extension SocketServerConfiguration.Authentication {
    var takesTokens: Bool {
        switch self {
        case .none: false
        case .jwt, .hook: true
        }
    }

    fileprivate var checksTokens: Bool {
        switch self {
        case .none, .jwt: true
        case .hook: false
        }
    }
}
