import GatewayCore

/// The items that time has to be looked at for: each tick is told those that want the next look, and those that rest once
/// their time has come, without a look at the others.
///
/// An item stands in one list at most, or in a second one where its time has been moved forward.
package struct Agenda<Item: AnyObject> {
    private enum Standing {
        case wantsLook
        case beingLookedAt
        /// In ticks of the clock.
        case rests(until: Int64)
    }

    private struct Entry {
        let item: Item
        var standing: Standing
        /// The list of those at rest that it stands in; one that it stands in beside, later, does not count.
        var list: Int64?
    }

    private static var tick: Int64 { 50_000_000 }

    private var entries: [ObjectIdentifier: Entry] = [:]
    private var wanting: [Item] = []
    private var resting: [Int64: [Item]] = [:]

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    package var items: [Item] { entries.values.map(\.item) }

    /// The next tick is to look at it.
    package mutating func look(at item: Item) {
        let id = ObjectIdentifier(item)
        let entry = entries[id]
        if case .wantsLook = entry?.standing { return }
        entries[id] = Entry(item: item, standing: .wantsLook, list: entry?.list)
        wanting.append(item)
    }

    /// Takes out those that are to be looked at now; each has to be kept or removed then.
    package mutating func takeDue(now: MonotonicTime) -> [Item] {
        var due: [Item] = []
        let candidates = wanting
        wanting = []
        for item in candidates {
            guard case .wantsLook = entries[ObjectIdentifier(item)]?.standing else { continue }
            entries[ObjectIdentifier(item)]?.standing = .beingLookedAt
            due.append(item)
        }
        let present = now.nanoseconds / Agenda.tick
        for list in resting.keys.filter({ $0 <= present }) {
            for item in resting.removeValue(forKey: list) ?? [] {
                guard entries[ObjectIdentifier(item)]?.list == list else { continue }
                entries[ObjectIdentifier(item)]?.list = nil
                guard case .rests(let end) = entries[ObjectIdentifier(item)]?.standing else { continue }
                if end <= present {
                    entries[ObjectIdentifier(item)]?.standing = .beingLookedAt
                    due.append(item)
                } else {
                    put(item, in: end)
                }
            }
        }
        return due
    }

    /// Something is under way for it still; until this time, if any, there is nothing to be looked at.
    package mutating func keep(_ item: Item, restingUntil end: MonotonicTime?) {
        guard case .beingLookedAt = entries[ObjectIdentifier(item)]?.standing else { return }
        guard let end else { return look(at: item) }
        let list = end.nanoseconds / Agenda.tick + (end.nanoseconds % Agenda.tick > 0 ? 1 : 0)
        entries[ObjectIdentifier(item)]?.standing = .rests(until: list)
        if let earlier = entries[ObjectIdentifier(item)]?.list, earlier <= list { return }
        put(item, in: list)
    }

    package mutating func remove(_ item: Item) {
        entries[ObjectIdentifier(item)] = nil
    }

    private mutating func put(_ item: Item, in list: Int64) {
        entries[ObjectIdentifier(item)]?.list = list
        resting[list, default: []].append(item)
    }
}
