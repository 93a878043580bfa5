import GatewayCore

/// The place that an open socket takes up in the counts; whoever owns the socket keeps it.
package struct Slot: Sendable {
    /// Whose it is: the peer's, or what a trusted proxy has said; nil for a unix socket.
    package fileprivate(set) var address: IPAddress?
    fileprivate var standing = AddressCounts.Standing.uncounted
    /// Nil once somebody has vouched for it.
    fileprivate var stranger: StrangerTicket?

    package var isStranger: Bool { stranger != nil }
}

/// The rules by which a port takes sockets, from the accept on: so many of each address, and of those that nobody has
/// vouched for so many in all.
package struct Admission<Occupant> {
    package enum Opening {
        /// Perhaps in the place of another, whose socket is to end.
        case admitted(Slot, inPlaceOf: Occupant?)
        /// Its address holds enough: it is only to be told so.
        case refused(Slot, inPlaceOf: Occupant?)
        /// There is no room to tell it anything.
        case dropped(Shortage)
    }

    package enum Shortage: Hashable, Sendable {
        case address
        case strangers
    }

    private var maxConnections: Int
    /// Sockets beyond that, which are told "full" or on their way out.
    private let spare: Int
    private var sockets = 0
    private var addresses: AddressCounts
    private var strangers = StrangerPool<Occupant>()

    package init(maxConnections: Int, spare: Int, maxPerAddress: Int) {
        self.maxConnections = maxConnections
        self.spare = spare
        addresses = AddressCounts(limit: maxPerAddress)
    }

    package mutating func limit(maxConnections: Int, maxPerAddress: Int) {
        self.maxConnections = maxConnections
        addresses.limit = maxPerAddress
    }

    /// How many strangers there may be: a quarter of all, and no more than those that are none have left.
    private var strangerLimit: Int {
        max(1, min(maxConnections / 4, maxConnections + spare - (sockets - strangers.count)))
    }

    /// A socket was accepted; a stranger's, as all are at first.
    ///
    /// - Parameter isProxy: whether `peer` is trusted to say whose sockets it brings, so that none is its own.
    package mutating func open(_ occupant: Occupant, from peer: IPAddress?, isProxy: Bool) -> Opening {
        // Those that give way are still open for a moment.
        guard sockets < maxConnections + spare + spare / 2 else { return .dropped(.strangers) }
        var slot = Slot(address: peer)
        if let peer, !isProxy, addresses.counts(peer) {
            switch addresses.open(peer) {
            case .admitted: slot.standing = .admitted
            case .refused: slot.standing = .refused
            case .dropped: return .dropped(.address)
            }
        }
        var outcast: Occupant?
        if strangers.count >= strangerLimit {
            outcast = strangers.giveWay()
            guard outcast != nil else {
                uncount(slot)
                return .dropped(.strangers)
            }
        }
        sockets += 1
        slot.stranger = strangers.enter(occupant, from: Admission.place(of: peer))
        return slot.standing == .refused ? .refused(slot, inPlaceOf: outcast) : .admitted(slot, inPlaceOf: outcast)
    }

    /// A trusted proxy has said whose the socket is; false where that address holds enough.
    ///
    /// - Parameter isProxy: whether `client` is trusted as well, so that the socket may be anybody's.
    package mutating func name(_ client: IPAddress, isProxy: Bool, _ slot: inout Slot) -> Bool {
        uncount(slot)
        slot.address = client
        slot.standing = .uncounted
        if let ticket = slot.stranger { strangers.move(ticket, to: Admission.place(of: client)) }
        guard !isProxy, addresses.counts(client) else { return true }
        switch addresses.open(client) {
        case .admitted:
            slot.standing = .admitted
            return true
        case .refused:
            slot.standing = .refused
            return false
        case .dropped:
            return false
        }
    }

    /// It has shown a token, which is being checked.
    package mutating func shelter(_ slot: Slot) {
        if let ticket = slot.stranger { strangers.shelter(ticket) }
    }

    /// Its token was no good.
    package mutating func expose(_ slot: Slot) {
        if let ticket = slot.stranger { strangers.expose(ticket) }
    }

    /// It is a stranger no longer.
    package mutating func vouch(for slot: inout Slot) {
        if let ticket = slot.stranger { strangers.leave(ticket) }
        slot.stranger = nil
    }

    /// The socket has ended; once for each that was opened.
    package mutating func close(_ slot: Slot) {
        sockets -= 1
        uncount(slot)
        if let ticket = slot.stranger { strangers.leave(ticket) }
    }

    private mutating func uncount(_ slot: Slot) {
        if let address = slot.address { addresses.close(address, slot.standing) }
    }

    /// What strangers are told apart by; sockets without an address are one party.
    private static func place(of address: IPAddress?) -> IPAddress { address?.counted ?? IPAddress.unspecified }
}
