/// Asks each room for its members, from a connection of its own that joins it and leaves it again.
final class RosterAudit {
    static let role: UInt32 = 6

    /// By room: how many members it said to have, the one who asked not counted; nil where there was no answer.
    private(set) var counts: [Int?]
    private(set) var failure: BenchFailure?

    private let plan: CrewPlan
    private let sockets: SocketLoop
    private var slot: UInt32 = .max
    private var room = 0

    init(plan: CrewPlan, sockets: SocketLoop) {
        self.plan = plan
        self.sockets = sockets
        counts = Array(repeating: nil, count: plan.layout.rooms)
    }

    var isOver: Bool { room >= counts.count }

    func open() {
        switch sockets.connect(.init(role: RosterAudit.role, index: 0), to: plan.targets[0]) {
        case .success(let slot): self.slot = slot
        case .failure(let reason): failure = BenchFailure("the audit cannot connect: \(reason)")
        }
    }

    func handle(_ event: SocketLoop.Event) {
        switch event.kind {
        case .opened: sockets.send(plan.opening(user: "bench-audit", at: plan.targets[0]), to: slot)
        case .response(let status):
            if let refusal = Opening.refusal(status: status, response: event.bytes) {
                failure = BenchFailure("the audit got \(refusal)")
            }
        case .message: heard(FrameReader(roomPrefix: plan.layout.prefix, payloadBytes: 0).reply(event.bytes))
        case .bytes: break
        case .closed(let ending):
            if !isOver { failure = BenchFailure("the audit was \(ending)") }
        }
    }

    private func heard(_ frame: FrameReader.Reading) {
        guard !isOver else { return }
        switch frame {
        case .welcome: ask(Opening.join)
        case .joined: ask(Opening.members)
        case .members(let count):
            counts[room] = count - 1
            ask(Opening.leave)
        case .left:
            room += 1
            if !isOver { ask(Opening.join) }
        case .error(let code): failure = BenchFailure("the audit was refused: \(code)")
        case .message, .damaged, .resumed, .presence, .gap, .other: break
        }
    }

    private func ask(_ request: (String) -> String) {
        sockets.send(ClientFrame.text(request(plan.layout.name(of: room))), to: slot)
    }
}
