import GatewayCore

/// The times by which presence is kept.
package struct PresenceSettings: Sendable {
    /// How long a node that has not beaten still counts as live; it beats three times in it.
    package var lease: Duration = .seconds(3)
    /// `redis.failoverGrace`: for how long after nodes began to meet another Redis nobody is taken for dead who has not
    /// registered with it yet.
    package var failoverGrace: Duration = .seconds(30)
    /// `presence.grace`: how long a user stays online after an abrupt loss.
    package var grace: Duration = .seconds(5)
    /// By how much a member's grace in a room outlasts the user's.
    package var roomGrace: Duration = .seconds(1)
    /// After which Redis forgets by itself what nobody renews: so long that a step of its clock by some hours takes nothing.
    package var life: Duration = .seconds(86_400)
    /// How often each key is renewed.
    package var renewal: Duration = .seconds(30)
    /// How often what a node has in one partition is compared with what it holds: all 64 within 5 minutes.
    package var comparison: Duration = .milliseconds(4500)
    /// After which a node tries again what Redis refused it of what it does for all nodes.
    package var dutyPatience: Duration = .seconds(60)
    /// `session.ttl`: how long a client may take to come back.
    package var sessionTTL: Duration = .seconds(120)
    /// How long a fence is remembered.
    package var fenceLife: Duration = .seconds(86_400)
    /// How long it is remembered that a user was disconnected, so that no node that was cut off brings it back; one that was
    /// away for longer sends its clients away.
    package var disconnectionLife: Duration = .seconds(86_400)
    /// How long tokens stay void, from the moment before which they are: longer than any should be good for.
    package var voidTokenLife: Duration = .seconds(31_536_000)
    /// How long it is remembered when a user was last seen.
    package var seenAge: Duration = .seconds(30 * 86_400)
    /// `presence.seenUsers`: of how many users, about, that is remembered.
    package var seenUsers = 1_000_000
    /// Transitions kept of each partition at most, about.
    package var ledgerSize = 10_000
    /// How the ledger is trimmed where this node has no receivers that see to it: what those of other nodes have not
    /// settled stays.
    package var idleLedger: WebhookLedgerSettings?
    /// Bytes that they take, and messages that receivers of events are told of with them.
    package var ledgerBytes = 8 << 20

    /// `client.maxConnectionsPerUser`, on all nodes together; 0: no limit.
    package var maxConnectionsPerUser = 100
    /// `client.onTooManyConnections`: what happens when a user has one connection more than allowed.
    package var surplus = Surplus.refuseNewest

    /// As the scripts and the settings spell it.
    package enum Surplus: String, Sendable, CaseIterable {
        /// The oldest is closed with 4409.
        case closeOldest
        /// The new one is closed with 4429.
        case refuseNewest
    }

    /// `pusher.maxPresenceMembers`: users in a room beyond which no client of an app is let into it as one more; 0: no limit.
    package var maxVisitorMembers = 0

    /// Who is told how many connections are in a room.
    package var counting: @Sendable (RoomName) -> RoomCounting = { _ in .nobody }

    package init() {}

    var interval: Duration { lease / 3 }

    /// How long a beat's answer is waited for: so little that two more tries, each on a fresh connection, fit into what is
    /// left of the lease then; but no less than a busy machine needs.
    var beatTimeout: Duration { max(lease / 6, .milliseconds(250)) }

    /// How long watchers do not hear what a Redis that was set back, or emptied, shows of users: the last node that may come
    /// to it then has registered what it holds, and who died before is swept. A failover is not all that sets Redis back.
    package var setBackGrace: Duration { max(failoverGrace + lease, .seconds(10)) }

    /// How long a session outlives its connection: one renewal longer than it can be resumed.
    var sessionLife: Duration { sessionTTL + renewal }

    /// Of how many users each partition remembers when they were seen, since names fall evenly into them: beyond it the
    /// longest away are forgotten.
    var seenUsersOfPartition: Int { (seenUsers + Partition.count - 1) / Partition.count }

    /// After which Redis forgets the lists of what must be taken away: long after what they name.
    var listLife: Duration { life * 2 }
}
