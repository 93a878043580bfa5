/// The members of this process: connects them, joins their rooms, and checks what they get.
///
/// Owned by the thread that polls the socket loop.
final class Crew {
    private enum State: UInt8 {
        case connecting
        case opening
        case joining
        case ready
        case gone
    }

    private struct Member {
        var slot: UInt32
        var state: State
        var began: UInt64
    }

    static let role: UInt32 = 1

    private(set) var audience: Audience
    /// Members that are ready.
    private(set) var ready = 0
    /// Members that ended, or never got ready.
    private(set) var gone = 0
    /// From the beginning of a connection until it is ready, in nanoseconds.
    private(set) var openings = Histogram()

    private let plan: CrewPlan
    private let sockets: SocketLoop
    private var members: [Member] = []
    private var goal = 0
    private var nextPatrol: UInt64 = 0

    init(plan: CrewPlan, sockets: SocketLoop) {
        self.plan = plan
        self.sockets = sockets
        audience = Audience(layout: plan.layout, payloadBytes: plan.payloadBytes)
    }

    /// How many of `total` members belong to this process.
    private func share(of total: Int) -> Int {
        (total - plan.process + plan.processes - 1) / plan.processes
    }

    /// Wants this many members in all processes together; never fewer than before.
    func grow(to total: Int) {
        goal = max(goal, share(of: total))
        audience.reserve(streams: goal)
        members.reserveCapacity(goal)
    }

    /// Every wanted member is ready or gone.
    var isSettled: Bool { ready + gone >= goal }

    /// Begins what may begin, and gives up what took too long.
    func tick(now: UInt64) {
        while members.count < goal, members.count - ready - gone < plan.handshakes { begin(now: now) }
        guard now >= nextPatrol else { return }
        nextPatrol = now + 1_000_000_000
        guard !isSettled else { return }
        let limit = UInt64(plan.patience * 1e9)
        for index in members.indices {
            let member = members[index]
            guard member.state != .ready, member.state != .gone, now > member.began + limit else { continue }
            sockets.close(member.slot)
            giveUp(index, "not ready in time, stuck while \(member.state)")
        }
    }

    /// Begins a new run; nothing may be under way.
    func restart() {
        audience.restart()
    }

    func takeCompleted() -> [UInt32] {
        guard !audience.completed.isEmpty else { return [] }
        defer { audience.completed.removeAll(keepingCapacity: true) }
        return audience.completed
    }

    func handle(_ event: SocketLoop.Event) {
        let index = event.tag.index
        guard members.indices.contains(index), members[index].state != .gone else { return }
        switch event.kind {
        case .opened:
            members[index].state = .opening
            let request = Opening.request(
                style: plan.style, user: user(index), room: room(index), target: plan.target(of: number(index)))
            sockets.send(request, to: event.slot)
        case .response(let status): opened(index, status: status, event)
        case .message: heard(index, event)
        case .bytes: break
        case .closed(let ending): ended(index, ending)
        }
    }

    private func begin(now: UInt64) {
        let index = members.count
        let tag = SocketLoop.Tag(role: Crew.role, index: index)
        switch sockets.connect(tag, to: plan.target(of: number(index)), from: plan.source(of: number(index))) {
        case .success(let slot): members.append(Member(slot: slot, state: .connecting, began: now))
        case .failure(let reason):
            members.append(Member(slot: .max, state: .connecting, began: now))
            giveUp(index, reason.description)
        }
    }

    private func opened(_ index: Int, status: Int, _ event: SocketLoop.Event) {
        if let refusal = Opening.refusal(status: status, response: event.bytes) {
            sockets.close(event.slot)
            return giveUp(index, refusal)
        }
        guard plan.style == .gateway else { return becomeReady(index, position: 0, now: event.received) }
        members[index].state = .joining
        if plan.joins {
            sockets.send(ClientFrame.text(Opening.join(room: plan.layout.name(of: room(index)))), to: event.slot)
        }
    }

    @inline(__always)
    private func heard(_ index: Int, _ event: SocketLoop.Event) {
        let own = room(index)
        let other = audience.receive(event.bytes, at: event.received) { $0 == own ? index : nil }
        if let other { heard(other, by: index, event) }
    }

    private func heard(_ frame: FrameReader.Reading, by index: Int, _ event: SocketLoop.Event) {
        switch frame {
        case .welcome:
            if !plan.joins { becomeReady(index, position: 0, now: event.received) }
        case .joined(let joined, let seq):
            if joined == room(index) { becomeReady(index, position: seq, now: event.received) }
        case .error(let code): audience.count(error: code)
        case .gap: audience.countGap()
        case .message, .damaged, .other: break
        }
    }

    private func becomeReady(_ index: Int, position: UInt64, now: UInt64) {
        guard members[index].state != .ready else { return }
        members[index].state = .ready
        ready += 1
        openings.record(now - members[index].began)
        audience.enter(stream: index, room: room(index), position: position)
    }

    private func ended(_ index: Int, _ ending: SocketLoop.Ending) {
        guard members[index].state == .ready else { return giveUp(index, ending.description) }
        members[index].state = .gone
        ready -= 1
        gone += 1
        audience.leave(room: room(index))
        audience.count(lost: ending.description)
    }

    private func giveUp(_ index: Int, _ reason: String) {
        members[index].state = .gone
        gone += 1
        audience.count(refused: reason)
    }

    private func number(_ index: Int) -> Int { index * plan.processes + plan.process }

    @inline(__always)
    private func room(_ index: Int) -> Int { number(index) % plan.layout.rooms }

    private func user(_ index: Int) -> String { "bench-\(Decimal.text(number(index), digits: RoomLayout.digits))" }
}
