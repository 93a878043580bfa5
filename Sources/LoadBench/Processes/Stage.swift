/// All members of a run, in this process or in workers, and the loop that everything here happens on.
///
/// Used by one thread.
final class Stage {
    private struct Worker {
        let process: ChildProcess
        var cutter = LineCutter()
        var ready = 0
        var gone = 0
        var settledFor = 0
        var report: CrewReport?
    }

    private static let workerRole: UInt32 = 3

    let sockets: SocketLoop
    let plan: CrewPlan
    /// Takes what happens to connections of roles that the stage does not know.
    var guest: ((SocketLoop.Event) -> Void)?
    private let progress: RunProgress
    private let crew: Crew?
    private var workers: [Worker] = []
    private var publishers: Publishers?
    private var completed: [UInt32] = []
    /// Members in all processes together.
    private var wanted = 0
    private var failure: (any Error)?

    /// - Parameters:
    ///   - processes: 0 keeps all members in this process.
    ///   - worker: the command that starts this program as its own worker.
    init(plan: CrewPlan, processes: Int, worker: [String], progress: RunProgress) throws {
        sockets = try SocketLoop()
        self.plan = plan
        self.progress = progress
        crew = processes == 0 ? Crew(plan: plan, sockets: sockets) : nil
        for index in 0..<processes {
            let child = try ChildProcess(worker)
            var part = plan
            part.process = index
            part.processes = processes
            try child.send(.plan(part))
            workers.append(Worker(process: child))
            if case .failure(let reason) = sockets.adopt(
                .init(role: Stage.workerRole, index: index), descriptor: child.output)
            {
                throw BenchFailure("worker \(index): \(reason)")
            }
        }
    }

    var ready: Int { crew?.ready ?? workers.reduce(0) { $0 + $1.ready } }
    var gone: Int { crew?.gone ?? workers.reduce(0) { $0 + $1.gone } }
    var hasWorkers: Bool { crew == nil }
    /// Processes of the tool that do the work.
    var processes: Int { max(1, workers.count) }
    /// A worker that has not heard of the last order yet is settled for another number.
    private var isSettled: Bool { crew?.isSettled ?? workers.allSatisfy { $0.settledFor == wanted } }

    /// Brings the number of members to this and waits until each is ready or gone.
    func grow(to total: Int) throws {
        crew?.grow(to: total)
        try tell(.grow(total))
        wanted = total
        while !isSettled {
            try turn(until: Clock.after(seconds: 0.1))
            progress.show("\(ready) of \(total) ready" + (gone > 0 ? ", \(gone) failed" : ""))
        }
    }

    /// Cuts all members off and waits until that is done.
    func cut() throws {
        crew?.cut()
        try tell(.cut)
        while ready > 0 { try turn(until: Clock.after(seconds: 0.1)) }
    }

    /// Lets those that were cut come back and waits until each is ready or gone.
    func comeBack() throws {
        crew?.comeBack()
        try tell(.comeBack)
        while !isSettled {
            try turn(until: Clock.after(seconds: 0.1))
            progress.show("\(ready) back" + (gone > 0 ? ", \(gone) failed" : ""))
        }
    }

    /// - Throws: when no member is ready: there is nobody to publish to.
    func requireMembers() throws {
        guard ready == 0 else { return }
        throw BenchFailure((["no member got ready"] + (try report()).tally.faults).joined(separator: "; "))
    }

    /// Opens the connections that publish, and waits until they are ready.
    func open(_ publishers: Publishers) throws {
        self.publishers = publishers
        publishers.open()
        let deadline = Clock.after(seconds: plan.patience)
        while !publishers.isSettled {
            try turn(until: Clock.after(seconds: 0.1))
            if let failure = publishers.failure { throw failure }
            guard Clock.now < deadline else { throw BenchFailure("the publishers did not get ready in time") }
            progress.show("\(publishers.ready) of \(publishers.count) publishers ready")
        }
    }

    /// Lets time pass while connections are served.
    func hold(seconds: Double, _ doing: String) throws {
        let deadline = Clock.after(seconds: seconds)
        while Clock.now < deadline {
            try turn(until: min(deadline, Clock.after(seconds: 0.5)))
            progress.show("\(doing), \(Int((Double(deadline) - Double(Clock.now)) / 1e9) + 1) s left")
        }
    }

    /// What all members have got so far; the publishers' part not included.
    func report() throws -> CrewReport {
        if let crew { return crew.report() }
        for index in workers.indices { workers[index].report = nil }
        try tell(.report)
        while workers.contains(where: { $0.report == nil }) { try turn(until: Clock.after(seconds: 0.1)) }
        return workers.compactMap(\.report).reduce(into: CrewReport()) { $0.add($1) }
    }

    /// Forgets what was counted, here and in the workers; nothing may be under way.
    func restart() throws {
        crew?.restart()
        publishers?.restart()
        completed = []
        try tell(.restart)
    }

    /// Waits for sockets until the deadline and serves what happened.
    func turn(until deadline: UInt64) throws {
        // A crew in this process begins further connections with each turn.
        let limit = isSettled ? deadline : min(deadline, Clock.after(seconds: 0.05))
        try sockets.poll(until: limit) { event in
            switch event.tag.role {
            case Crew.role: crew?.handle(event)
            case Publishers.role: publishers?.handle(event)
            case Stage.workerRole: heard(event)
            case _: guest?(event)
            }
        }
        crew?.tick(now: Clock.now)
        if let failure { throw failure }
    }

    /// Messages that all receivers of one process have got: each process, and the publishers, names it once.
    func takeCompleted() -> [UInt32] {
        defer { completed.removeAll(keepingCapacity: true) }
        return completed + (crew?.takeCompleted() ?? []) + (publishers?.takeCompleted() ?? [])
    }

    /// By room: how many times `takeCompleted` will name a message, and how many receivers it goes to.
    func audiences() throws -> (parts: [Int], receivers: [Int]) {
        var parts = Array(repeating: 0, count: plan.messages.rooms)
        var receivers = parts
        var sizes: [[Int32]] = [publishers?.audience.sizes ?? []]
        if let crew {
            sizes.append(crew.audience.sizes)
        } else {
            _ = try report()
            sizes += workers.compactMap(\.report?.sizes)
        }
        for list in sizes {
            for (room, size) in list.enumerated() where size > 0 {
                parts[room] += 1
                receivers[room] += Int(size)
            }
        }
        return (parts, receivers)
    }

    private func tell(_ order: Order) throws {
        for worker in workers { try worker.process.send(order) }
    }

    private func heard(_ event: SocketLoop.Event) {
        let index = event.tag.index
        do {
            if case .closed = event.kind { throw BenchFailure("worker \(index) ended") }
            for line in workers[index].cutter.add(event.bytes) {
                switch try Notice(line: line) {
                case .completed(let numbers): completed += numbers
                case .count(let ready, let gone, let settledFor):
                    workers[index].ready = ready
                    workers[index].gone = gone
                    workers[index].settledFor = settledFor
                case .report(let report): workers[index].report = report
                case .failed(let reason): throw BenchFailure("worker \(index): \(reason)")
                }
            }
        } catch {
            failure = failure ?? error
        }
    }
}

/// Says how far a run is, a line at a time and not more often than people can read.
package final class RunProgress {
    private let say: (String) -> Void
    private var next: UInt64 = 0

    package init(_ say: @escaping (String) -> Void) {
        self.say = say
    }

    func show(_ text: @autoclosure () -> String) {
        let now = Clock.now
        guard now >= next else { return }
        next = now + 1_000_000_000
        say(text())
    }
}
