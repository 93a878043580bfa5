import GatewayCore
import Synchronization

/// How many sockets there are and what they are in: asked at the opening and closing of sockets and rooms, never for a message.
package final class Census: Sendable {
    private let maxConnections: Int
    private let maxPerAddress: Int
    private let sockets = Atomic<Int>(0)
    private let sessions = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    private let perAddress = Mutex<[IPAddress: Int]>([:])
    private let acceptRate: Mutex<AcceptRate>
    /// Rooms by the number of hubs that have listeners in them.
    private let hubsPerRoom = Mutex<[RoomName: Int]>([:])
    /// Told whenever no connection is left.
    private let departures = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// Descriptors kept back from clients: for Redis, the api port, files, and sockets that are only to be told "full".
    package static let reservedDescriptors = 500

    package init(maxConnections: Int, maxPerAddress: Int, acceptRate: AcceptRate = AcceptRate(limit: 0)) {
        self.maxConnections = maxConnections
        self.maxPerAddress = maxPerAddress
        self.acceptRate = Mutex(acceptRate)
    }

    /// The limit that 0 in the configuration stands for.
    package static func connectionLimit(descriptors: Int) -> Int {
        descriptors > 2 * reservedDescriptors ? descriptors - reservedDescriptors : max(1, descriptors / 2)
    }

    // MARK: Sockets

    /// Counts an accepted socket; false where there is not even room to tell it so.
    func socketOpened() -> Bool {
        let open = sockets.wrappingAdd(1, ordering: .relaxed).newValue
        if open <= maxConnections + Census.reservedDescriptors / 2 { return true }
        sockets.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    func socketClosed() {
        sockets.wrappingSubtract(1, ordering: .relaxed)
    }

    /// Why a handshake is to be answered 503.
    enum Refusal: String, CaseIterable, Sendable {
        case draining, full, flooded
        case address = "address_limit"
    }

    /// Counts a connection of this address; paired with `leave` where it answers nil.
    ///
    /// - Parameter isResuming: whether the client comes back to a session.
    func enter(_ address: IPAddress?, isResuming: Bool, now: MonotonicTime) -> Refusal? {
        if isDraining { return .draining }
        guard acceptRate.withLock({ $0.accepts(isResuming: isResuming, now: now) }) else { return .flooded }
        let connections = sessions.wrappingAdd(1, ordering: .relaxed).newValue
        if connections > maxConnections {
            sessions.wrappingSubtract(1, ordering: .relaxed)
            return .full
        }
        guard maxPerAddress > 0, let address else { return nil }
        let isWithin = perAddress.withLock { counts in
            let count = counts[address, default: 0]
            guard count < maxPerAddress else { return false }
            counts[address] = count + 1
            return true
        }
        if isWithin { return nil }
        sessions.wrappingSubtract(1, ordering: .relaxed)
        return .address
    }

    func leave(_ address: IPAddress?) {
        let left = sessions.wrappingSubtract(1, ordering: .relaxed).newValue
        if left == 0 { departures.continuation.yield() }
        guard maxPerAddress > 0, let address else { return }
        perAddress.withLock { counts in
            let count = counts[address, default: 0] - 1
            counts[address] = count > 0 ? count : nil
        }
    }

    // MARK: Rooms

    /// A hub has its first listener in a room; only rooms proper count.
    func roomOpened(_ room: RoomName) {
        guard !room.isInbox, !room.isEveryone else { return }
        hubsPerRoom.withLock { $0[room, default: 0] += 1 }
    }

    /// A hub's last listener has left a room.
    func roomClosed(_ room: RoomName) {
        guard !room.isInbox, !room.isEveryone else { return }
        hubsPerRoom.withLock { counts in
            let count = counts[room, default: 0] - 1
            counts[room] = count > 0 ? count : nil
        }
    }

    // MARK: Status

    var isDraining: Bool { draining.load(ordering: .acquiring) }

    func beginDraining() {
        draining.store(true, ordering: .releasing)
    }

    /// Waits until no connection is left; for one caller at a time. Ends early when cancelled.
    func emptied() async {
        guard sessions.load(ordering: .relaxed) > 0 else { return }
        for await _ in departures.stream where sessions.load(ordering: .relaxed) == 0 { return }
    }

    package var status: SocketServerStatus {
        SocketServerStatus(
            connections: sessions.load(ordering: .relaxed),
            rooms: hubsPerRoom.withLock { $0.count },
            isDraining: isDraining)
    }
}

/// What the client port holds at one moment.
package struct SocketServerStatus: Hashable, Sendable {
    /// Open WebSockets, `/echo` included.
    package var connections: Int
    /// Rooms proper with a local member, or one that is about to be.
    package var rooms: Int
    package var isDraining: Bool
}
