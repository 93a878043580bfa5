import GatewayCore

/// A few hubs; without memory of its own while their numbers are below 64.
struct HubSet {
    private var low: UInt64 = 0
    private var others: [HubNumber] = []

    var isEmpty: Bool { low == 0 && others.isEmpty }

    func contains(_ hub: HubNumber) -> Bool {
        hub < 64 ? low & (1 << UInt64(hub)) != 0 : others.contains(hub)
    }

    mutating func insert(_ hub: HubNumber) {
        if hub < 64 {
            low |= 1 << UInt64(hub)
        } else if !others.contains(hub) {
            others.append(hub)
        }
    }

    mutating func remove(_ hub: HubNumber) {
        if hub < 64 {
            low &= ~(1 << UInt64(hub))
        } else {
            others.removeAll { $0 == hub }
        }
    }
}

extension HubSet: Sequence {
    struct Iterator: IteratorProtocol {
        fileprivate var low: UInt64
        fileprivate var others: ArraySlice<HubNumber>

        mutating func next() -> HubNumber? {
            guard low != 0 else { return others.popFirst() }
            defer { low &= low - 1 }
            return low.trailingZeroBitCount
        }
    }

    func makeIterator() -> Iterator {
        Iterator(low: low, others: others[...])
    }
}
