import NIOCore

/// The connections that publish; owned by the thread that polls the socket loop.
final class Publishers {
    private struct Publisher {
        var slot: UInt32 = .max
        var isOpen = false
        /// Rooms that it has yet to join before it is ready.
        var missingRooms = 0
        var isReady = false
        /// Messages of the request under way.
        var underWay: [UInt32] = []
        let rooms: [Int]
        var nextRoom = 0
    }

    static let role: UInt32 = 2

    /// What publishers that are members get.
    private(set) var audience: Audience
    private(set) var ready = 0
    /// Why publishing cannot go on.
    private(set) var failure: BenchFailure?
    /// Messages that a request was refused for, since this was last emptied.
    var refused: [UInt32] = []

    private let plan: CrewPlan
    private let way: PublishPlan.Way
    private let picksRandomly: Bool
    private let sockets: SocketLoop
    private var publishers: [Publisher]
    /// Those that can take a message now.
    private var free: [Int] = []
    /// By publisher, then rank of the room among its rooms: the last sequence number.
    private var sequences: [[UInt32]]
    /// By room, for the floor server, which has no numbers of its own.
    private var floorSeq: [UInt64]

    init(plan: CrewPlan, way: PublishPlan.Way, picksRandomly: Bool, sockets: SocketLoop) {
        self.plan = plan
        self.way = way
        self.picksRandomly = picksRandomly
        self.sockets = sockets
        let layout = plan.messages
        audience = Audience(layout: layout, payloadBytes: plan.payloadBytes)
        publishers = (0..<layout.publishers).map { Publisher(rooms: layout.rooms(of: $0)) }
        sequences = publishers.map { Array(repeating: 0, count: $0.rooms.count) }
        floorSeq = Array(repeating: 0, count: layout.rooms)
        if way == .webSocket { audience.reserve(streams: layout.publishers * layout.roomsOfPublisher) }
    }

    var count: Int { publishers.count }
    var isSettled: Bool { ready == publishers.count }
    var canPublish: Bool { !free.isEmpty }
    /// No request is under way.
    var isIdle: Bool { free.count == publishers.count }

    private func target(of index: Int) -> LoopbackTarget {
        switch way {
        case .rest(let api, _), .batch(let api, _, _), .nchan(let api): api
        case .webSocket, .floor: plan.targets[index % plan.targets.count]
        }
    }

    func open() {
        for index in publishers.indices {
            switch sockets.connect(.init(role: Publishers.role, index: index), to: target(of: index)) {
            case .success(let slot): publishers[index].slot = slot
            case .failure(let reason): failure = BenchFailure("a publisher cannot connect: \(reason)")
            }
        }
    }

    /// Counts from 1 again; nothing may be under way.
    func restart() {
        audience.restart()
        for index in sequences.indices {
            for room in sequences[index].indices { sequences[index][room] = 0 }
        }
    }

    func takeCompleted() -> [UInt32] {
        guard !audience.completed.isEmpty else { return [] }
        defer { audience.completed.removeAll(keepingCapacity: true) }
        return audience.completed
    }

    /// Sends messages with these numbers, each to a room of the next free publisher.
    ///
    /// - Returns: the room of each, in order; none when no publisher is free.
    func publish(_ numbers: [UInt32], due: UInt64) -> [Int] {
        guard let index = free.popLast() else { return [] }
        var rooms: [Int] = []
        var bodies: [[UInt8]] = []
        for number in numbers {
            let rank = nextRank(of: index)
            let room = publishers[index].rooms[rank]
            sequences[index][rank] += 1
            let envelope = Envelope(
                room: room, publisher: index, sequence: sequences[index][rank], number: number, due: due)
            rooms.append(room)
            bodies.append(envelope.payload(bytes: plan.payloadBytes))
        }
        sockets.send(request(rooms: rooms, payloads: bodies), to: publishers[carrier(of: index)].slot)
        switch way {
        case .rest, .batch, .nchan: publishers[index].underWay = numbers
        // Taken in turn: the last to publish is the last to be asked again.
        case .webSocket, .floor: free.insert(index, at: 0)
        }
        return rooms
    }

    /// Whose socket a publisher's messages take: on the floor, where nobody else numbers them, one for each room.
    private func carrier(of index: Int) -> Int { way == .floor ? index % plan.layout.rooms : index }

    private func recipient(_ room: Int) -> PublishRequest.Recipient {
        plan.isToEveryone ? .everyone : .room(plan.layout.name(of: room))
    }

    private func nextRank(of index: Int) -> Int {
        let count = publishers[index].rooms.count
        if picksRandomly { return Int.random(in: 0..<count) }
        defer { publishers[index].nextRoom = (publishers[index].nextRoom + 1) % count }
        return publishers[index].nextRoom
    }

    private func request(rooms: [Int], payloads: [[UInt8]]) -> ByteBuffer {
        switch way {
        case .rest(let api, let key):
            return PublishRequest.http(
                path: "/v1/broadcast", api: api, key: key,
                body: PublishRequest.broadcast(to: recipient(rooms[0]), payload: payloads[0]))
        case .batch(let api, let key, _):
            var body = Array(#"{"broadcasts":["#.utf8)
            for (place, room) in rooms.enumerated() {
                if place > 0 { body.append(UInt8(ascii: ",")) }
                body += PublishRequest.broadcast(to: recipient(room), payload: payloads[place])
            }
            body += "]}".utf8
            return PublishRequest.http(path: "/v1/broadcast/batch", api: api, key: key, body: body)
        case .nchan(let target):
            return PublishRequest.http(
                path: "/pub?id=\(plan.layout.name(of: rooms[0]))", api: target, key: nil, body: payloads[0])
        case .webSocket:
            return ClientFrame.text(PublishRequest.message(room: plan.layout.name(of: rooms[0]), payload: payloads[0]))
        case .floor:
            let room = rooms[0]
            floorSeq[room] += 1
            return ClientFrame.text(
                PublishRequest.floor(
                    number: room, room: plan.layout.name(of: room), payload: payloads[0], seq: floorSeq[room]))
        }
    }

    func handle(_ event: SocketLoop.Event) {
        let index = event.tag.index
        guard publishers.indices.contains(index) else { return }
        switch event.kind {
        case .opened: opened(index, event)
        case .response(let status): answered(index, status: status, event)
        case .message: heard(index, event)
        case .bytes: break
        case .closed(let ending): failure = BenchFailure("publisher \(index): \(ending)")
        }
    }

    private func opened(_ index: Int, _ event: SocketLoop.Event) {
        publishers[index].isOpen = true
        switch way {
        case .rest, .batch, .nchan: becomeReady(index)
        case .webSocket:
            let user = "bench-publisher-\(index)"
            sockets.send(plan.opening(user: user, at: target(of: index)), to: event.slot)
        case .floor:
            sockets.send(Opening.request(path: "/publish", target: target(of: index), subprotocol: nil), to: event.slot)
        }
    }

    private func answered(_ index: Int, status: Int, _ event: SocketLoop.Event) {
        switch way {
        case .rest, .batch, .nchan:
            if let code = PublishRequest.refusal(status: status, response: event.bytes) {
                audience.count(error: code)
                refused += publishers[index].underWay
            }
            publishers[index].underWay = []
            free.insert(index, at: 0)
        case .webSocket, .floor:
            if let refusal = Opening.refusal(status: status, response: event.bytes) {
                failure = BenchFailure("a publisher got \(refusal)")
                return
            }
            if way == .floor { becomeReady(index) }
        }
    }

    private func heard(_ index: Int, _ event: SocketLoop.Event) {
        let layout = plan.messages
        let frame = audience.receive(event.bytes, at: event.received) { room in
            layout.rank(of: index, in: room) == nil ? nil : Publishers.stream(of: index, room: room, layout)
        }
        switch frame {
        case .welcome:
            // Not before: a gateway holds only so many frames for who has yet to be welcomed.
            publishers[index].missingRooms = publishers[index].rooms.count
            for room in publishers[index].rooms {
                sockets.send(ClientFrame.text(Opening.join(room: plan.layout.name(of: room))), to: event.slot)
            }
        case .joined(let entry):
            guard let room = entry.room else { return }
            audience.enter(stream: Publishers.stream(of: index, room: room, layout), room: room, position: entry.seq)
            publishers[index].missingRooms -= 1
            if publishers[index].missingRooms == 0 { becomeReady(index) }
        case .error(let code):
            audience.count(error: code)
            if !publishers[index].isReady { failure = BenchFailure("a publisher's join was refused: \(code)") }
        case .gap: audience.countGap()
        case .resumed, .left, .presence, .members, .message, .damaged, .other, nil: break
        }
    }

    private static func stream(of publisher: Int, room: Int, _ layout: RoomLayout) -> Int {
        publisher * layout.roomsOfPublisher + (layout.rooms >= layout.publishers ? room / layout.publishers : 0)
    }

    private func becomeReady(_ index: Int) {
        publishers[index].isReady = true
        ready += 1
        free.append(index)
    }
}
