import Foundation

/// The entry point of a worker process of this tool: runs a crew as told on standard input, until that ends.
package enum WorkerMain {
    package static func run() throws {
        do {
            try Worker().run()
        } catch {
            try Worker.say(.failed("\(error)"))
            throw error
        }
    }
}

private final class Worker {
    private let sockets: SocketLoop
    private var cutter = LineCutter()
    private var crew: Crew?
    private var isOver = false
    private var failure: (any Error)?
    private var told = (ready: -1, gone: -1, settledFor: 0)
    private var nextCount: UInt64 = 0

    private static let standardInput: UInt32 = 9

    init() throws {
        Descriptors.raiseLimit()
        sockets = try SocketLoop()
        // Closed with the loop; nothing else reads it.
        if case .failure(let reason) = sockets.adopt(.init(role: Worker.standardInput, index: 0), descriptor: 0) {
            throw BenchFailure("standard input: \(reason)")
        }
    }

    func run() throws {
        while !isOver {
            try sockets.poll(until: Clock.after(seconds: 0.1)) { event in
                guard event.tag.role == Worker.standardInput else {
                    crew?.handle(event)
                    return
                }
                if case .closed = event.kind { isOver = true }
                do {
                    for line in cutter.add(event.bytes) { try follow(line) }
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            guard let crew else { continue }
            let now = Clock.now
            crew.tick(now: now)
            let completed = crew.takeCompleted()
            if !completed.isEmpty { try Worker.say(.completed(completed)) }
            try tellCount(crew, now: now)
        }
    }

    private func follow(_ line: Substring) throws {
        switch try JSONDecoder().decode(Order.self, from: Data(line.utf8)) {
        case .plan(let plan): crew = Crew(plan: plan, sockets: sockets)
        case .grow(let total):
            crew?.grow(to: total)
            // What was settled before is not any more: the next count must be told.
            told.ready = -1
        case .report:
            if let crew { try Worker.say(.report(crew.report())) }
        case .cut: crew?.cut()
        case .comeBack: crew?.comeBack()
        case .restart: crew?.restart()
        }
    }

    /// Tells how far it is, ten times a second at most until it is settled.
    private func tellCount(_ crew: Crew, now: UInt64) throws {
        let present = (ready: crew.ready, gone: crew.gone, settledFor: crew.isSettled ? crew.wanted : 0)
        guard present != told, now >= nextCount || present.settledFor > 0 else { return }
        told = present
        nextCount = now + 100_000_000
        try Worker.say(.count(ready: present.ready, gone: present.gone, settledFor: present.settledFor))
    }

    static func say(_ notice: Notice) throws {
        try FileHandle.standardOutput.write(contentsOf: Data(try notice.line.utf8))
    }
}
