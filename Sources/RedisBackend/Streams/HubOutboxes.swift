import GatewayCore
import NIOCore

/// The deliveries to the hubs at the end of the turn, in order.
///
/// `@unchecked Sendable`: it belongs to the router's loop, where the end of the turn comes too.
final class HubOutboxes: @unchecked Sendable {
    private let loop: any EventLoop
    private let clock: RedisClock
    private var sinks: [any StreamSink] = []
    private var boxes: [[StreamDelivery]] = []
    /// Tracks with messages of this turn that are in no box yet.
    private var touched: [Track] = []
    private var isFlushScheduled = false

    /// Of a room's hubs, the one that counts how long its messages take: by turns.
    private var counting: HubNumber = 0

    init(loop: any EventLoop, clock: RedisClock) {
        self.loop = loop
        self.clock = clock
    }

    func add(_ sink: any StreamSink, number: HubNumber) {
        precondition(number == sinks.count, "hubs are numbered in the order in which they are opened")
        sinks.append(sink)
        boxes.append([])
    }

    /// A message for all hubs that follow the room; messages of one turn go together.
    func add(_ message: RoomMessage, of track: Track) {
        guard !track.hubs.isEmpty else { return }
        if track.turn.isEmpty { touched.append(track) }
        track.turn.append(message)
        scheduleFlush()
    }

    /// Anything else for all hubs that follow the room.
    func add(_ delivery: StreamDelivery, of track: Track) {
        guard !track.hubs.isEmpty else { return }
        flush(track)
        add(delivery, to: track.hubs)
    }

    /// Something for one hub alone, behind what the room's followers were told so far.
    func add(_ delivery: StreamDelivery, of track: Track, to hub: HubNumber) {
        flush(track)
        add(delivery, to: hub)
    }

    /// Something of no room, for these hubs.
    func add(_ delivery: StreamDelivery, to hubs: HubSet) {
        for hub in hubs { boxes[hub].append(delivery) }
        scheduleFlush()
    }

    /// Something of no room, for one hub.
    func add(_ delivery: StreamDelivery, to hub: HubNumber) {
        boxes[hub].append(delivery)
        scheduleFlush()
    }

    /// Something that any hub may hold the connection for.
    func addToAll(_ delivery: StreamDelivery) {
        for hub in boxes.indices { boxes[hub].append(delivery) }
        scheduleFlush()
    }

    /// The same, behind what the room's followers were told so far.
    func addToAll(_ delivery: StreamDelivery, behind track: Track) {
        flush(track)
        addToAll(delivery)
    }

    /// Hands everything over.
    func flush() {
        for track in touched { flush(track) }
        touched.removeAll(keepingCapacity: true)
        for hub in boxes.indices where !boxes[hub].isEmpty {
            let deliveries = boxes[hub]
            boxes[hub] = []
            sinks[hub].receive(deliveries)
        }
    }

    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.execute { [self] in
            isFlushScheduled = false
            flush()
        }
    }

    private func flush(_ track: Track) {
        guard !track.turn.isEmpty else { return }
        let messages = track.turn
        track.turn = []
        counting = counting + 1 < boxes.count ? counting + 1 : 0
        var arrival: MessageArrival? = MessageArrival(time: .now, redisAhead: clock.ahead)
        let isAmongThem = track.hubs.contains(counting)
        for hub in track.hubs {
            let counts = !isAmongThem || hub == counting
            boxes[hub].append(.messages(room: track.room, messages: messages, arrival: counts ? arrival : nil))
            if counts { arrival = nil }
        }
    }
}
