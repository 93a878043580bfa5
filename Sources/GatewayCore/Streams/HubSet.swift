/// A few hubs; without memory of its own while their numbers are below 64.
package struct HubSet: Hashable, Sendable {
    private var low: UInt64 = 0
    private var others: [HubNumber] = []

    package init() {}

    package var isEmpty: Bool { low == 0 && others.isEmpty }

    package func contains(_ hub: HubNumber) -> Bool {
        hub < 64 ? low & (1 << UInt64(hub)) != 0 : others.contains(hub)
    }

    package mutating func insert(_ hub: HubNumber) {
        if hub < 64 {
            low |= 1 << UInt64(hub)
        } else if !others.contains(hub) {
            others.append(hub)
        }
    }

    package mutating func remove(_ hub: HubNumber) {
        if hub < 64 {
            low &= ~(1 << UInt64(hub))
        } else {
            others.removeAll { $0 == hub }
        }
    }
}

extension HubSet: Sequence {
    package struct Iterator: IteratorProtocol {
        fileprivate var low: UInt64
        fileprivate var others: ArraySlice<HubNumber>

        package mutating func next() -> HubNumber? {
            guard low != 0 else { return others.popFirst() }
            defer { low &= low - 1 }
            return low.trailingZeroBitCount
        }
    }

    package func makeIterator() -> Iterator {
        Iterator(low: low, others: others[...])
    }
}
