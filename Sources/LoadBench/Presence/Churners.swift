/// The connections that join and leave while seated members look on; owned by the thread that polls the socket loop.
final class Churners {
    private enum Step {
        case opening
        /// In no room, or in one, and every seated member knows.
        case still
        case joining
        case leaving
        case gone
    }

    private struct Churner {
        var slot: UInt32 = .max
        var step = Step.opening
        /// The room it is in, or on its way into or out of.
        var room: Int?
        var nextRoom: Int
        /// Processes whose members have yet to see the latest join or leave.
        var missingParts = 0
        var hasReply = false
        var began: UInt64 = 0
    }

    static let role: UInt32 = 5

    /// What churners are told as members.
    private(set) var roster: RosterWatch
    private(set) var joins = 0
    private(set) var leaves = 0
    /// By room: joins and leaves that began.
    private(set) var changesByRoom: [Int]
    /// From the request until every seated member had been told, in nanoseconds.
    private(set) var spreads = Histogram()
    private(set) var errors: [String: Int] = [:]
    private(set) var failure: BenchFailure?

    private let plan: CrewPlan
    private let sockets: SocketLoop
    private var churners: [Churner]
    private var parts: [Int] = []
    private var ready = 0

    init(plan: CrewPlan, sockets: SocketLoop) {
        self.plan = plan
        self.sockets = sockets
        let rooms = plan.layout.rooms
        churners = (0..<plan.churners).map { Churner(nextRoom: $0 % rooms) }
        changesByRoom = Array(repeating: 0, count: rooms)
        roster = RosterWatch(layout: plan.layout, churners: 0)
        roster.reserve(streams: plan.churners)
    }

    var isSettled: Bool { ready == churners.count }
    var underWay: Int { churners.count { $0.step == .joining || $0.step == .leaving } }
    /// By room: how many churners are in it.
    var present: [Int] {
        churners.reduce(into: Array(repeating: 0, count: plan.layout.rooms)) { counts, churner in
            if let room = churner.room, churner.step == .still { counts[room] += 1 }
        }
    }

    /// Opens the connections.
    ///
    /// - Parameter parts: by room, in how many processes it has members.
    func open(parts: [Int]) {
        self.parts = parts
        for index in churners.indices {
            switch sockets.connect(.init(role: Churners.role, index: index), to: target(of: index)) {
            case .success(let slot): churners[index].slot = slot
            case .failure(let reason): failure = BenchFailure("a churner cannot connect: \(reason)")
            }
        }
    }

    /// Forgets what was counted.
    func restart() {
        joins = 0
        leaves = 0
        changesByRoom = changesByRoom.map { _ in 0 }
        spreads = Histogram()
        roster.restart()
    }

    /// Lets all that are still leave the room that they are in.
    func beginLeaves() {
        for index in churners.indices where churners[index].step == .still && churners[index].room != nil {
            beginLeave(index, churners[index].room ?? 0)
        }
    }

    /// Lets one that is still and in no room join the next, at most one.
    ///
    /// - Returns: whether there was one.
    func beginJoin() -> Bool {
        guard let index = churners.firstIndex(where: { $0.step == .still && $0.room == nil }) else { return false }
        let room = churners[index].nextRoom
        churners[index].nextRoom = (room + churners.count) % plan.layout.rooms
        churners[index].room = room
        begin(index, .joining, Opening.join(room: plan.layout.name(of: room)), room)
        return true
    }

    private func beginLeave(_ index: Int, _ room: Int) {
        begin(index, .leaving, Opening.leave(room: plan.layout.name(of: room)), room)
    }

    private func begin(_ index: Int, _ step: Step, _ request: String, _ room: Int) {
        churners[index].step = step
        churners[index].missingParts = parts[room]
        churners[index].hasReply = false
        churners[index].began = Clock.now
        changesByRoom[room] += 1
        sockets.send(ClientFrame.text(request), to: churners[index].slot)
    }

    /// The members of one process have all seen what this churner did last.
    func seen(_ number: UInt32) {
        let index = Int(number)
        guard churners.indices.contains(index), churners[index].missingParts > 0 else { return }
        churners[index].missingParts -= 1
        endStep(index, now: Clock.now)
    }

    func handle(_ event: SocketLoop.Event) {
        let index = event.tag.index
        guard churners.indices.contains(index), churners[index].step != .gone else { return }
        switch event.kind {
        case .opened:
            let user = PresenceFrame.name(ofChurner: index)
            sockets.send(plan.opening(user: user, at: target(of: index)), to: event.slot)
        case .response(let status):
            if let refusal = Opening.refusal(status: status, response: event.bytes) {
                failure = BenchFailure("a churner got \(refusal)")
            }
        case .message: heard(index, event)
        case .bytes: break
        case .closed(let ending):
            churners[index].step = .gone
            failure = BenchFailure("churner \(index): \(ending)")
        }
    }

    private func heard(_ index: Int, _ event: SocketLoop.Event) {
        switch roster.reader.reply(event.bytes) {
        case .welcome:
            churners[index].step = .still
            ready += 1
        case .joined(let entry):
            guard churners[index].step == .joining, entry.room == churners[index].room else { return }
            roster.enter(stream: index, version: entry.rosterVersion)
            churners[index].hasReply = true
            endStep(index, now: event.received)
        case .left:
            churners[index].hasReply = true
            endStep(index, now: event.received)
        case .presence:
            // After `left` nothing of the room may come.
            let room = churners[index].step == .leaving && churners[index].hasReply ? nil : churners[index].room
            roster.receive(event.bytes, stream: index, room: room, seats: nil)
        case .error(let code): errors[code, default: 0] += 1
        case .message, .damaged, .resumed, .gap, .members, .other: break
        }
    }

    private func endStep(_ index: Int, now: UInt64) {
        let churner = churners[index]
        guard churner.hasReply, churner.missingParts == 0, churner.step == .joining || churner.step == .leaving else {
            return
        }
        spreads.record(now > churner.began ? now - churner.began : 0)
        if churner.step == .joining {
            joins += 1
        } else {
            leaves += 1
            churners[index].room = nil
        }
        churners[index].step = .still
    }

    private func target(of index: Int) -> LoopbackTarget { plan.targets[index % plan.targets.count] }
}
