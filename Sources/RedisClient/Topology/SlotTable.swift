import Synchronization

/// The servers of a Cluster and what each has of the slots that somebody asks for.
package struct SlotTable: Sendable, Hashable {
    package typealias Address = RedisConfiguration.Endpoint

    /// The primary that has a slot; nothing for one that nobody has.
    package let places: [KeySlot: Address]
    /// All primaries that have any slot at all.
    package let primaries: [Address]

    package init(places: [KeySlot: Address] = [:], primaries: [Address] = []) {
        self.places = places
        self.primaries = primaries
    }

    package subscript(slot: KeySlot) -> Address? { places[slot] }
}

/// Who has which slot: one value, from which all links of a node learn where to send what.
package final class SlotMap: Sendable {
    private let table = Mutex(SlotTable())
    private let members = Mutex<Set<String>?>(nil)
    private let doubt = Mutex<@Sendable () -> Void>({})

    package init() {}

    /// Empty until a server of the Cluster was asked; any thread.
    package var current: SlotTable { table.withLock { $0 } }

    /// Links follow it where they are told to.
    package func replace(with next: SlotTable) { table.withLock { $0 = next } }

    /// Whether a server that calls itself so is to be spoken to; any thread.
    package func admits(_ id: String) -> Bool { members.withLock { $0?.contains(id) ?? true } }

    /// These belong to the Cluster, and no others; nil where that is not known.
    package func admit(_ ids: Set<String>?) { members.withLock { $0 = ids } }

    /// Sets who looks again.
    func onDoubt(_ look: @escaping @Sendable () -> Void) { doubt.withLock { $0 = look } }

    /// A server has said that a slot is elsewhere, or is not there any more: it is to be looked at again. Any thread.
    package func isDoubtful() { doubt.withLock { $0 }() }
}
