import GatewayCore
import NIOCore
import Synchronization

/// The count of sockets and of what they are in: asked at the opening and closing of sockets and rooms, never for a
/// message.
package final class Census: Sendable {
    private let maxConnections: Atomic<Int>
    private let admission: Mutex<Admission<any Channel>>
    private let sessions = Atomic<Int>(0)
    /// Of these, apps' clients.
    private let visitors = Atomic<Int>(0)
    /// Of these, guests that speak the gateway's own dialect.
    private let guestCount = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    private let isShut = Atomic<Bool>(false)
    private let acceptRate: Mutex<AcceptRate>
    /// Rooms by the number of hubs that have listeners in them.
    private let hubsPerRoom = Mutex<[RoomName: Int]>([:])
    /// Told whenever no connection is left.
    private let departures = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// - Parameter spare: sockets beyond `maxConnections` that are only to be told "full".
    package init(maxConnections: Int, spare: Int, maxPerAddress: Int, acceptRate: AcceptRate = AcceptRate(limit: 0)) {
        self.maxConnections = Atomic(maxConnections)
        admission = Mutex(Admission(maxConnections: maxConnections, spare: spare, maxPerAddress: maxPerAddress))
        self.acceptRate = Mutex(acceptRate)
    }

    /// Whoever is there already stays, however many they are.
    func limit(maxConnections: Int, maxPerAddress: Int, acceptRate limit: Int) {
        self.maxConnections.store(maxConnections, ordering: .relaxed)
        admission.withLock { $0.limit(maxConnections: maxConnections, maxPerAddress: maxPerAddress) }
        acceptRate.withLock { $0.limit = limit }
    }

    // MARK: Sockets

    /// Counts an accepted socket, a stranger's.
    ///
    /// - Parameter isProxy: whether the peer is trusted to say whose socket it is, by `name`.
    func open(_ channel: any Channel, from peer: IPAddress?, isProxy: Bool) -> Admission<any Channel>.Opening {
        let opening = admission.withLock { $0.open(channel, from: peer, isProxy: isProxy) }
        switch opening {
        case .admitted(_, let outcast?), .refused(_, let outcast?): Census.sendAway(outcast)
        case .admitted(_, nil), .refused(_, nil), .dropped: break
        }
        return opening
    }

    /// In a turn of its own, since the socket may be one of the very loop that asks.
    private static func sendAway(_ channel: any Channel) {
        channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(GiveWay()) }
    }

    /// A trusted proxy has said whose the socket is; false where that address holds enough.
    func name(_ client: IPAddress, isProxy: Bool, _ slot: inout Slot) -> Bool {
        admission.withLock { $0.name(client, isProxy: isProxy, &slot) }
    }

    /// It has shown a token, which is being checked: it gives way to nobody.
    func shelter(_ slot: Slot) {
        if slot.isStranger { admission.withLock { $0.shelter(slot) } }
    }

    /// Its token was no good.
    func expose(_ slot: Slot) {
        if slot.isStranger { admission.withLock { $0.expose(slot) } }
    }

    /// It is a stranger no longer.
    func vouch(for slot: inout Slot) {
        if slot.isStranger { admission.withLock { $0.vouch(for: &slot) } }
    }

    func close(_ slot: Slot) {
        admission.withLock { $0.close(slot) }
    }

    /// A reason why a handshake is to be answered 503.
    enum Refusal: Sendable {
        case draining, full, flooded
    }

    /// Counts a WebSocket; paired with `leave` where it answers nil.
    ///
    /// - Parameters:
    ///   - address: whose it is; this machine's are no flood.
    ///   - isResuming: whether the client comes back to a session.
    func enter(_ address: IPAddress?, isResuming: Bool, now: MonotonicTime) -> Refusal? {
        if isDraining || isShut.load(ordering: .relaxed) { return .draining }
        if address?.isLoopback != true {
            guard acceptRate.withLock({ $0.accepts(isResuming: isResuming, now: now) }) else { return .flooded }
        }
        guard sessions.wrappingAdd(1, ordering: .relaxed).newValue > maxConnections.load(ordering: .relaxed) else {
            return nil
        }
        sessions.wrappingSubtract(1, ordering: .relaxed)
        return .full
    }

    func leave() {
        let left = sessions.wrappingSubtract(1, ordering: .relaxed).newValue
        if left == 0 { departures.continuation.yield() }
    }

    /// A socket that is counted already is an app's client; paired with `visitorLeft`.
    package func visitorCame() { visitors.wrappingAdd(1, ordering: .relaxed) }

    func visitorLeft() { visitors.wrappingSubtract(1, ordering: .relaxed) }

    /// How many WebSockets there are, and apps' clients among them: never more of these, though each is counted by itself, and others come and go
    /// meanwhile.
    package var connections: (all: Int, visitors: Int) {
        let all = sessions.load(ordering: .relaxed)
        return (all, min(visitors.load(ordering: .relaxed), all))
    }

    /// A socket that is counted already is a guest's; paired with `guestLeft`.
    func guestCame() { guestCount.wrappingAdd(1, ordering: .relaxed) }

    func guestLeft() { guestCount.wrappingSubtract(1, ordering: .relaxed) }

    /// How many guests there are.
    package var guests: Int { guestCount.load(ordering: .relaxed) }

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

    /// How many hubs have listeners in a room; an inbox and `*` are not counted.
    func hubs(in room: RoomName) -> Int { hubsPerRoom.withLock { $0[room] ?? 0 } }

    // MARK: Status

    var isDraining: Bool { draining.load(ordering: .acquiring) }

    func beginDraining() {
        draining.store(true, ordering: .releasing)
    }

    /// Lets nobody in until it is opened again.
    package func shut() { isShut.store(true, ordering: .relaxed) }

    package func open() { isShut.store(false, ordering: .relaxed) }

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

/// The event that tells a socket's handler that it was a stranger too many.
struct GiveWay: Sendable {}

/// The client port's counts at one moment.
package struct SocketServerStatus: Hashable, Sendable {
    /// Open WebSockets, `/echo` included.
    package var connections: Int
    /// Rooms proper with a local member, or one that is about to be.
    package var rooms: Int
    package var isDraining: Bool
}
