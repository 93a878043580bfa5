import Foundation
import MartletClient
import NIOSSL
import Synchronization
import TestKit
import TestSupport

/// Two honest clients in a room that talk all the time, and look at the clock.
final class Bystanders: Sendable {
    struct Verdict: Sendable {
        var worstPing = Duration.zero
        var peakBytes = 0
        var faults: [String] = []
        var slowness = Slowness()
    }

    static let users = ["ann", "ben"]

    private let room: String
    private let people: [Participant]
    private let mayBeRefused: Bool
    private let verdict = Mutex(Verdict())
    /// How many pings of each have come to an end, good or bad.
    private let pings = Mutex<[String: Int]>([:])
    private let published = Mutex(0)
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// - Parameters:
    ///   - tls: to a node that speaks it.
    ///   - users: their names, each of them on no other node.
    ///   - room: where they talk, and nobody else does.
    ///   - mayBeRefused: whether messages may be refused, and come late.
    static func begin(
        on node: NodeProcess, _ credentials: [String: MartletClient.Credentials], tls: TLSConfiguration? = nil,
        users: [String] = users, in room: String = "plaza", mayBeRefused: Bool = false
    ) async throws -> Bystanders {
        var people: [Participant] = []
        for user in users {
            let url = tls == nil ? node.clientURL : node.securedURL
            let participant = try await Participant.connect(to: url, as: user) {
                $0.credentials = credentials[user] ?? $0.credentials
                $0.tls = tls ?? $0.tls
            }
            try await participant.join(room)
            people.append(participant)
        }
        let bystanders = Bystanders(people, room, mayBeRefused)
        bystanders.run(node)
        return bystanders
    }

    private init(_ people: [Participant], _ room: String, _ mayBeRefused: Bool) {
        self.people = people
        self.room = room
        self.mayBeRefused = mayBeRefused
    }

    /// Stops talking, waits until all that was said has come, and judges.
    func end() async throws -> Verdict {
        // Of two more pings of each one has been sent after the end of the attack, which may have been short.
        let before = pings.withLock { $0 }
        try await eventually("two more pings of each") {
            let now = self.pings.withLock { $0 }
            return self.people.allSatisfy { now[$0.user, default: 0] >= before[$0.user, default: 0] + 2 }
        }
        let tasks = tasks.withLock { $0 }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        let count = published.withLock { $0 }
        var verdict = verdict.withLock { $0 }
        if count == 0, !mayBeRefused { verdict.faults.append("nothing was said") }
        for person in people {
            try await eventually("\(person.user)'s messages") { person.latest(of: room) >= count }
            verdict.faults += person.faults(of: room, upTo: count).map { "\(person.user): \($0)" }
            verdict.faults += person.gaps.map { "\(person.user): a gap in \($0.room)" }
            if person.connections.count > 1 { verdict.faults.append("\(person.user) was disconnected") }
            await person.close()
        }
        return verdict
    }

    private func run(_ node: NodeProcess) {
        let running = people.flatMap { person in
            [again { await self.ping(person) }, again { await self.say(person) }]
        }
        tasks.withLock { $0 = running + [again { self.look(at: node) }] }
    }

    private func again(_ act: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task {
            while !Task.isCancelled {
                await act()
                try? await ContinuousClock().sleep(for: .milliseconds(50))  // Cancelled at the end.
            }
        }
    }

    private func look(at node: NodeProcess) {
        var slowness = Slowness()
        slowness.measure()
        // A node that died is known by its clients.
        let resident = (try? ProcessUse(pid: node.pid))?.residentBytes ?? 0
        verdict.withLock { verdict in
            verdict.slowness.add(slowness)
            verdict.peakBytes = max(verdict.peakBytes, resident)
        }
    }

    private func ping(_ person: Participant) async {
        let start = ContinuousClock.now
        var fault: String?
        do {
            _ = try await person.client.ping()
        } catch MartletClient.Failure.cancelled {
            // The end came first; what it has taken until then counts.
        } catch {
            fault = "\(person.user)'s ping: \(error)"
        }
        let time = start.duration(to: .now)
        verdict.withLock { verdict in
            verdict.worstPing = max(verdict.worstPing, time)
            if let fault { verdict.faults.append(fault) }
        }
        pings.withLock { $0[person.user, default: 0] += 1 }
    }

    private func say(_ person: Participant) async {
        let number = published.withLock { $0 }
        do {
            let seq = try await person.client.publish(Array("\(number)".utf8), to: room).seq
            published.withLock { $0 = max($0, seq) }
        } catch MartletClient.Failure.cancelled {
            // The end came first; whether it was stored shows in the stream.
        } catch {
            if mayBeRefused { return }
            verdict.withLock { $0.faults.append("\(person.user)'s message: \(error)") }
        }
    }
}
