import NIOCore

/// The members of this process: connects them, joins their rooms, and checks what they get.
///
/// Owned by the thread that polls the socket loop.
final class Crew {
    enum State: UInt8 {
        case connecting
        case opening
        case joining
        case ready
        /// Cut off by the tool itself, to come back later.
        case cut
        /// Back, and on its way to the head of its room.
        case catchingUp
        case gone
    }

    struct Member {
        var slot: UInt32
        var state: State
        var began: UInt64
    }

    static let role: UInt32 = 1

    var audience: Audience
    /// Members that are ready.
    var ready = 0
    /// Members that ended, or never got ready.
    private(set) var gone = 0
    /// From the beginning of a connection until it is ready, in nanoseconds.
    var openings = Histogram()
    /// What members are told of those that come and go; nil where the plan has no churners.
    private(set) var roster: RosterWatch?
    /// What members come back with; empty where the plan has no resumes.
    var resumptions: Resumptions

    let plan: CrewPlan
    let sockets: SocketLoop
    var members: [Member] = []
    private var goal = 0
    /// Members that are wanted in all processes together.
    private(set) var wanted = 0
    private var nextPatrol: UInt64 = 0

    init(plan: CrewPlan, sockets: SocketLoop) {
        self.plan = plan
        self.sockets = sockets
        audience = Audience(layout: plan.messages, payloadBytes: plan.payloadBytes, shape: plan.shape)
        resumptions = Resumptions(rooms: plan.layout.rooms)
        roster = plan.churners > 0 ? RosterWatch(layout: plan.layout, churners: plan.churners) : nil
    }

    /// How many of `total` members belong to this process.
    private func share(of total: Int) -> Int {
        (total - plan.process + plan.processes - 1) / plan.processes
    }

    /// Wants this many members in all processes together; never fewer than before.
    func grow(to total: Int) {
        wanted = max(wanted, total)
        goal = max(goal, share(of: total))
        audience.reserve(streams: goal)
        roster?.reserve(streams: goal)
        members.reserveCapacity(goal)
    }

    /// Members on their way to being ready.
    var underWay: Int { members.count - ready - gone - resumptions.away }

    /// Every wanted member is ready or gone.
    var isSettled: Bool { ready + gone >= goal }

    /// Begins what may begin, and gives up what took too long.
    func tick(now: UInt64) {
        while members.count < goal, underWay < plan.handshakes { begin(now: now) }
        bringBack(now: now)
        guard now >= nextPatrol else { return }
        nextPatrol = now + 1_000_000_000
        guard !isSettled else { return }
        let limit = UInt64(plan.patience * 1e9)
        for index in members.indices {
            let member = members[index]
            guard member.state != .ready, member.state != .gone, member.state != .cut, now > member.began + limit
            else { continue }
            sockets.close(member.slot)
            giveUp(index, "not ready in time, stuck while \(member.state)")
        }
    }

    /// Begins a new run; nothing may be under way.
    func restart() {
        audience.restart()
        roster?.restart()
    }

    /// Numbers of messages, or of churners where there are such, that all members here have been told of.
    func takeCompleted() -> [UInt32] {
        if roster != nil { return roster?.takeCompleted() ?? [] }
        guard !audience.completed.isEmpty else { return [] }
        defer { audience.completed.removeAll(keepingCapacity: true) }
        // What is caught up with was published to nobody who was there.
        return resumptions.hasBegun ? [] : audience.completed
    }

    func handle(_ event: SocketLoop.Event) {
        let index = event.tag.index
        guard members.indices.contains(index), members[index].state != .gone, members[index].state != .cut else {
            return
        }
        switch event.kind {
        case .opened:
            members[index].state = .opening
            sockets.send(opening(index), to: event.slot)
        case .response(let status): opened(index, status: status, event)
        case .message: heard(index, event)
        case .bytes: break
        case .closed(let ending): ended(index, ending)
        }
    }

    private func opening(_ index: Int) -> ByteBuffer {
        let target = plan.target(of: number(index))
        if plan.speaksPusher(number(index)) { return plan.appOpening(at: target) }
        return plan.opening(
            user: user(index), room: room(index), at: target, session: resumptions.session(of: index))
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
        // An app's client has to be greeted first.
        if plan.joins, !plan.speaksPusher(number(index)), resumptions.session(of: index) == nil {
            sockets.send(ClientFrame.text(Opening.join(room: plan.layout.name(of: room(index)))), to: event.slot)
        }
    }

    @inline(__always)
    private func heard(_ index: Int, _ event: SocketLoop.Event) {
        let own = messageRoom(index)
        let other = audience.receive(event.bytes, at: event.received) { $0 == own ? index : nil }
        if let other {
            heard(other, by: index, event)
        } else if members[index].state == .catchingUp {
            checkWhetherCaughtUp(index, now: event.received)
        }
    }

    private func heard(_ frame: FrameReader.Reading, by index: Int, _ event: SocketLoop.Event) {
        switch frame {
        case .welcome(let session, let isResumed, let everyone):
            if let old = resumptions.session(of: index) {
                guard isResumed else {
                    sockets.close(event.slot)
                    return giveUp(index, "its session \(old.isEmpty ? "was never told" : "was not resumed")")
                }
                askForWhatWasMissed(index, event)
            } else if !plan.joins {
                becomeReady(index, position: everyone, now: event.received)
            } else if plan.speaksPusher(number(index)) {
                let channel = plan.layout.name(of: room(index))
                sockets.send(ClientFrame.text(Opening.subscribe(channel: channel)), to: event.slot)
            } else if plan.isToEveryone {
                audience.place(stream: index, position: everyone)
            }
            if plan.keepsSessions { resumptions.keep(session, of: index) }
        case .joined(let entry):
            guard entry.room == room(index) else { return }
            if plan.keepsSessions { resumptions.epochs[room(index)] = entry.epoch }
            roster?.enter(stream: index, version: entry.rosterVersion)
            let position = plan.isToEveryone ? audience.position(of: index) : entry.seq
            becomeReady(index, position: position, now: event.received)
        case .resumed(let entry): resumed(index, entry, now: event.received)
        case .error(let code): audience.count(error: code)
        case .gap: audience.countGap()
        case .presence:
            let own = room(index)
            roster?.receive(event.bytes, stream: index, room: own, seats: audience.sizes[own])
        case .message, .damaged, .left, .members, .other: break
        }
    }

    func becomeReady(_ index: Int, position: UInt64, now: UInt64) {
        guard members[index].state != .ready else { return }
        members[index].state = .ready
        ready += 1
        openings.record(now - members[index].began)
        audience.enter(stream: index, room: messageRoom(index), position: position)
    }

    private func ended(_ index: Int, _ ending: SocketLoop.Ending) {
        guard members[index].state == .ready else { return giveUp(index, ending.description) }
        members[index].state = .gone
        ready -= 1
        gone += 1
        audience.leave(room: messageRoom(index))
        audience.count(lost: ending.description)
    }

    func giveUp(_ index: Int, _ reason: String) {
        members[index].state = .gone
        gone += 1
        audience.count(refused: reason)
    }

    func number(_ index: Int) -> Int { index * plan.processes + plan.process }

    @inline(__always)
    func room(_ index: Int) -> Int { number(index) % plan.layout.rooms }

    /// The room that its messages are of.
    @inline(__always)
    func messageRoom(_ index: Int) -> Int { plan.isToEveryone ? 0 : room(index) }

    private func user(_ index: Int) -> String { "bench-\(Decimal.text(number(index), digits: RoomLayout.digits))" }
}
