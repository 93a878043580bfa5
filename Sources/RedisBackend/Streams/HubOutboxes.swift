import GatewayCore

/// What the hubs are to be told at the end of the turn, in order.
struct HubOutboxes {
    private var sinks: [any StreamSink] = []
    private var boxes: [[StreamDelivery]] = []
    /// Tracks with messages of this turn that are in no box yet.
    private var touched: [Track] = []

    mutating func add(_ sink: any StreamSink, number: HubNumber) {
        precondition(number == sinks.count, "hubs are numbered in the order in which they are opened")
        sinks.append(sink)
        boxes.append([])
    }

    /// A message for all hubs that follow the room; messages of one turn go together.
    mutating func add(_ message: RoomMessage, of track: Track) {
        if track.turn.isEmpty { touched.append(track) }
        track.turn.append(message)
    }

    /// Anything else for all hubs that follow the room.
    mutating func add(_ delivery: StreamDelivery, of track: Track) {
        settle(track)
        add(delivery, to: track.hubs)
    }

    /// Something for one hub alone, behind what the room's followers were told so far.
    mutating func add(_ delivery: StreamDelivery, of track: Track, to hub: HubNumber) {
        settle(track)
        boxes[hub].append(delivery)
    }

    /// Something of no room, for these hubs.
    mutating func add(_ delivery: StreamDelivery, to hubs: HubSet) {
        for hub in hubs { boxes[hub].append(delivery) }
    }

    /// Something of no room, for one hub.
    mutating func add(_ delivery: StreamDelivery, to hub: HubNumber) {
        boxes[hub].append(delivery)
    }

    /// Something that any hub may hold the connection for.
    mutating func addToAll(_ delivery: StreamDelivery) {
        for hub in boxes.indices { boxes[hub].append(delivery) }
    }

    /// Hands everything over.
    mutating func flush() {
        for track in touched { settle(track) }
        touched.removeAll(keepingCapacity: true)
        for hub in boxes.indices where !boxes[hub].isEmpty {
            let deliveries = boxes[hub]
            boxes[hub] = []
            sinks[hub].receive(deliveries)
        }
    }

    private mutating func settle(_ track: Track) {
        guard !track.turn.isEmpty else { return }
        let delivery = StreamDelivery.messages(room: track.room, messages: track.turn)
        track.turn = []
        add(delivery, to: track.hubs)
    }
}
