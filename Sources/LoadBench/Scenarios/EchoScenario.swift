import Glibc
import NIOCore

/// Round trips through `/echo`: each connection has one message under way, and what returns must be what was sent.
package struct EchoScenario {
    package var options: LoadOptions
    package var connections: Int
    package var payloadBytes: Int
    package var seconds: Double
    package var warmupSeconds: Double

    package init(
        options: LoadOptions, connections: Int, payloadBytes: Int, seconds: Double, warmupSeconds: Double
    ) {
        self.options = options
        self.connections = connections
        self.payloadBytes = payloadBytes
        self.seconds = seconds
        self.warmupSeconds = warmupSeconds
    }

    package func run(title: String, progress: RunProgress) throws -> BenchReport {
        let meters = try Meters(of: options)
        Descriptors.raiseLimit()
        let callers = try EchoCallers(targets: options.targets, count: connections, payloadBytes: payloadBytes)
        try callers.open(patience: options.patience)
        callers.begin()
        try callers.run(seconds: warmupSeconds, progress)
        callers.restart()
        let toolBefore = ProcessMeter.ownCPUSeconds()
        let before = try meters.read()
        try callers.run(seconds: seconds, progress)
        let after = try meters.read()
        let tool = ProcessMeter.ownCPUSeconds() - toolBefore
        var report = BenchReport(
            title: title, settings: ["\(connections) connections, payload \(payloadBytes) bytes, one under way on each"]
        )
        let elapsed = Double(after.at - before.at) / 1e9
        report.add("round trips", Double(callers.roundTrips.count))
        report.add("round trips per second", Double(callers.roundTrips.count) / elapsed)
        report.addUse(from: before, to: after, toolSeconds: tool, count: callers.roundTrips.count, of: "round trips")
        report.add(latency: callers.roundTrips, name: "round trip")
        report.faults = callers.faults
        return report
    }
}

/// The connections of an echo run; owned by one thread.
private final class EchoCallers {
    private struct Caller {
        var slot: UInt32 = .max
        var isReady = false
        var sequence: UInt32 = 0
        var sent: UInt64 = 0
    }

    private(set) var roundTrips = Histogram()

    private let sockets: SocketLoop
    private let targets: [LoopbackTarget]
    private let payloadBytes: Int
    private var callers: [Caller]
    private var ready = 0
    private var damaged = 0
    private var ended: [String: Int] = [:]
    private var refusal: String?

    private static let role: UInt32 = 4

    init(targets: [LoopbackTarget], count: Int, payloadBytes: Int) throws {
        sockets = try SocketLoop()
        self.targets = targets
        self.payloadBytes = payloadBytes
        callers = Array(repeating: Caller(), count: count)
    }

    var faults: [String] {
        (damaged > 0 ? ["\(damaged) echoes were not what was sent"] : [])
            + ended.sorted { $0.key < $1.key }.map { "\($1) connections lost: \($0)" }
    }

    func open(patience: Double) throws {
        for index in callers.indices {
            switch sockets.connect(.init(role: EchoCallers.role, index: index), to: target(of: index)) {
            case .success(let slot): callers[index].slot = slot
            case .failure(let reason): throw BenchFailure("connection \(index): \(reason)")
            }
        }
        let deadline = Clock.after(seconds: patience)
        while ready < callers.count {
            try sockets.poll(until: Clock.after(seconds: 0.1)) { handle($0) }
            if let refusal {
                throw BenchFailure("/echo answered \(refusal); the node needs client.echo (MARTLET_CLIENT_ECHO=true)")
            }
            guard Clock.now < deadline else { throw BenchFailure("the connections did not get ready in time") }
        }
    }

    func begin() {
        for index in callers.indices { call(index) }
    }

    func run(seconds: Double, _ progress: RunProgress) throws {
        let deadline = Clock.after(seconds: seconds)
        while Clock.now < deadline {
            try sockets.poll(until: min(deadline, Clock.after(seconds: 0.5))) { handle($0) }
            progress.show("\(roundTrips.count) round trips")
        }
    }

    func restart() {
        roundTrips = Histogram()
    }

    private func target(of index: Int) -> LoopbackTarget { targets[index % targets.count] }

    private func handle(_ event: SocketLoop.Event) {
        let index = event.tag.index
        switch event.kind {
        case .opened:
            sockets.send(Opening.request(path: "/echo", target: target(of: index), subprotocol: nil), to: event.slot)
        case .response(let status):
            if let why = Opening.refusal(status: status, response: event.bytes) {
                refusal = why
            } else {
                callers[index].isReady = true
                ready += 1
            }
        case .message:
            let caller = callers[index]
            let echo = Envelope(event.bytes, at: 0, bytes: payloadBytes)
            if event.bytes.count != payloadBytes || echo?.publisher != index % 10_000
                || echo?.sequence != caller.sequence
            {
                damaged += 1
            }
            roundTrips.record(event.received - caller.sent)
            call(index)
        case .bytes: break
        case .closed(let ending):
            if callers[index].isReady {
                ended[ending.description, default: 0] += 1
            } else {
                refusal = ending.description
            }
        }
    }

    private func call(_ index: Int) {
        callers[index].sequence += 1
        callers[index].sent = Clock.now
        let caller = callers[index]
        let envelope = Envelope(
            room: 0, publisher: index % 10_000, sequence: caller.sequence, number: 0, due: caller.sent)
        sockets.send(ClientFrame.text(envelope.payload(bytes: payloadBytes)), to: caller.slot)
    }
}
