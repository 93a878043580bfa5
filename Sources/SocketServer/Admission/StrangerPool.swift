import GatewayCore

/// A stranger's place in its pool; worth nothing once it has left or given way.
package struct StrangerTicket: Hashable, Sendable {
    fileprivate let slot: Int32
    fileprivate let generation: UInt32
}

/// The end of a list, on either side.
private let none: Int32 = -1

/// The sockets that nobody has vouched for yet, by address: half-open handshakes, and those that have shown no good token.
///
/// Where there are too many, the oldest of the address that has most gives way. One that has shown a token is sheltered
/// while that is being checked, and one about which a backend is asked until it answers, however long that takes. Each call costs the same however many there are.
package struct StrangerPool<Occupant> {
    /// One in the list of an address, whose neighbours are told by their numbers.
    private struct Slot {
        var generation: UInt32 = 0
        var occupant: Occupant?
        var address: IPAddress
        var isSheltered = false
        var older = none
        var newer = none
    }

    /// The strangers of one address who may be asked to give way.
    private struct Group {
        var oldest = none
        var newest = none
        var count = 0
        /// Where the address stands among those with as many.
        var rank = 0
    }

    /// All strangers, the sheltered included.
    package private(set) var count = 0
    private var slots: [Slot] = []
    private var free: [Int32] = []
    private var groups: [IPAddress: Group] = [:]
    /// The addresses with one stranger, with two and so on; the last list has some.
    private var byCount: [[IPAddress]] = []

    package init() {}

    package mutating func enter(_ occupant: Occupant, from address: IPAddress) -> StrangerTicket {
        let slot: Int32
        if let freed = free.popLast() {
            slot = freed
            slots[Int(slot)].occupant = occupant
            slots[Int(slot)].address = address
            slots[Int(slot)].isSheltered = false
        } else {
            slot = Int32(slots.count)
            slots.append(Slot(occupant: occupant, address: address))
        }
        count += 1
        link(slot)
        return StrangerTicket(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// The stranger that gives way, the oldest of the address with most; it is in the pool no longer. Nil where all are
    /// sheltered.
    package mutating func giveWay() -> Occupant? {
        guard let worst = byCount.last?.first, let group = groups[worst] else { return nil }
        return remove(group.oldest)
    }

    /// Somebody has vouched for it, or its socket has ended.
    package mutating func leave(_ ticket: StrangerTicket) {
        guard isValid(ticket) else { return }
        _ = remove(ticket.slot)
    }

    /// It has shown a token: nobody sends it away before that is checked.
    package mutating func shelter(_ ticket: StrangerTicket) {
        guard isValid(ticket), !slots[Int(ticket.slot)].isSheltered else { return }
        unlink(ticket.slot)
        slots[Int(ticket.slot)].isSheltered = true
    }

    /// The token was no good: it may be sent away again, as the newest.
    package mutating func expose(_ ticket: StrangerTicket) {
        guard isValid(ticket), slots[Int(ticket.slot)].isSheltered else { return }
        slots[Int(ticket.slot)].isSheltered = false
        link(ticket.slot)
    }

    /// A proxy has said whose it is: it counts there, as the newest.
    package mutating func move(_ ticket: StrangerTicket, to address: IPAddress) {
        guard isValid(ticket), slots[Int(ticket.slot)].address != address else { return }
        let isSheltered = slots[Int(ticket.slot)].isSheltered
        if !isSheltered { unlink(ticket.slot) }
        slots[Int(ticket.slot)].address = address
        if !isSheltered { link(ticket.slot) }
    }

    private func isValid(_ ticket: StrangerTicket) -> Bool {
        slots[Int(ticket.slot)].occupant != nil && slots[Int(ticket.slot)].generation == ticket.generation
    }

    private mutating func remove(_ slot: Int32) -> Occupant? {
        if !slots[Int(slot)].isSheltered { unlink(slot) }
        slots[Int(slot)].generation &+= 1
        free.append(slot)
        count -= 1
        return slots[Int(slot)].occupant.take()
    }

    // MARK: The list of an address

    private mutating func link(_ slot: Int32) {
        let address = slots[Int(slot)].address
        var group = groups[address] ?? Group()
        slots[Int(slot)].older = group.newest
        slots[Int(slot)].newer = none
        if group.newest == none {
            group.oldest = slot
        } else {
            slots[Int(group.newest)].newer = slot
        }
        group.newest = slot
        rank(address, &group, by: 1)
        groups[address] = group
    }

    private mutating func unlink(_ slot: Int32) {
        let address = slots[Int(slot)].address
        guard var group = groups[address] else { return }
        let (older, newer) = (slots[Int(slot)].older, slots[Int(slot)].newer)
        if older == none { group.oldest = newer } else { slots[Int(older)].newer = newer }
        if newer == none { group.newest = older } else { slots[Int(newer)].older = older }
        rank(address, &group, by: -1)
        groups[address] = group.count > 0 ? group : nil
    }

    // MARK: Who has most

    /// Takes the address from the list of those with as many to the next.
    private mutating func rank(_ address: IPAddress, _ group: inout Group, by step: Int) {
        if group.count > 0 {
            let last = byCount[group.count - 1].removeLast()
            if last != address {
                byCount[group.count - 1][group.rank] = last
                groups[last]?.rank = group.rank
            }
        }
        group.count += step
        if group.count > 0 {
            if byCount.count < group.count { byCount.append([]) }
            group.rank = byCount[group.count - 1].count
            byCount[group.count - 1].append(address)
        }
        while let most = byCount.last, most.isEmpty { byCount.removeLast() }
    }
}
