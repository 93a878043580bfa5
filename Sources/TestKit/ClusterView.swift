/// What one server of a Cluster says of all slots.
struct ClusterView: Equatable, Sendable {
    struct Range: Equatable, Sendable {
        let slots: ClosedRange<Int>
        /// By id.
        let primary: String
        /// Those that have its data, by id.
        let replicas: Set<String>
    }

    let ranges: [Range]

    /// - Parameter answer: to CLUSTER SLOTS.
    init(_ answer: RedisAnswer) {
        ranges = answer.items.compactMap { entry in
            let parts = entry.items
            guard parts.count > 2, let first = parts[0].number, let last = parts[1].number else { return nil }
            // Of each server the address, the port and the id.
            let ids = parts[2...].compactMap { $0.items.count > 2 ? $0.items[2].text : nil }
            guard let primary = ids.first else { return nil }
            return Range(slots: first...last, primary: primary, replicas: Set(ids.dropFirst()))
        }.sorted { $0.slots.lowerBound < $1.slots.lowerBound }
    }

    func primary(of slot: Int) -> String? {
        ranges.first { $0.slots.contains(slot) }?.primary
    }
}
