/// The schedule by which a hub spreads its pings: each tick visits one slice of the connections, each connection once
/// an interval.
struct Heartbeat {
    let tick: Duration
    private(set) var slices: [[SocketHandler]]
    private var cursor = 0

    /// The ticks are at most half a second, since other deadlines hang on them too.
    init(interval: Duration) {
        let interval = max(interval, .milliseconds(64))
        let count = max(64, Int(interval.milliseconds / 500))
        tick = .nanoseconds(interval.nanoseconds / Int64(count))
        slices = Array(repeating: [], count: count)
    }

    /// The connections whose turn it is.
    mutating func next() -> [SocketHandler] {
        cursor = (cursor + 1) % slices.count
        return slices[cursor]
    }

    var connections: some Sequence<SocketHandler> { slices.joined() }

    mutating func insert(_ connection: SocketHandler) {
        let slice = slice(of: connection)
        connection.sliceIndex = Int32(slices[slice].count)
        slices[slice].append(connection)
    }

    mutating func remove(_ connection: SocketHandler) {
        let slice = slice(of: connection)
        guard let last = slices[slice].popLast(), last !== connection else { return }
        slices[slice][Int(connection.sliceIndex)] = last
        last.sliceIndex = connection.sliceIndex
    }

    /// A name for the next connection of the hub: it tells the slice, so that no table of names is needed.
    func name(for number: ConnectionNumber) -> ConnectionID {
        .random(number: number, slices: slices.count)
    }

    /// The connection of this name; a search through one slice.
    func connection(_ id: ConnectionID) -> SocketHandler? {
        slices[id.slice(of: slices.count)].first { $0.id == id }
    }

    private func slice(of connection: SocketHandler) -> Int {
        connection.id.slice(of: slices.count)
    }
}
