import GatewayCore

/// Something with a deadline near enough to be looked at in each tick; it belongs to its hub's event loop.
protocol Supervised: AnyObject {
    /// Where the hub keeps it; nil while it is not supervised. Set by the hub alone.
    var supervisedIndex: Int? { get set }

    func check(now: MonotonicTime, wallMilliseconds: Int64)

    /// What waits in its socket.
    var queuedBytes: Int { get }

    /// Ends its socket; what waits in it is dropped.
    func cut()
}

extension Supervised {
    var queuedBytes: Int { 0 }
}

/// A list of objects from which each can be taken without a search, since it knows its place.
struct SupervisedList {
    private(set) var items: [any Supervised] = []

    mutating func insert(_ item: any Supervised) {
        guard item.supervisedIndex == nil else { return }
        item.supervisedIndex = items.count
        items.append(item)
    }

    mutating func remove(_ item: any Supervised) {
        guard let index = item.supervisedIndex else { return }
        item.supervisedIndex = nil
        let last = items.removeLast()
        guard index < items.count else { return }
        items[index] = last
        last.supervisedIndex = index
    }
}
