import Foundation
import MartletClient
import Synchronization
import TestKit

/// Two honest clients in a room that talk all the time, and look at the clock.
final class Bystanders: Sendable {
    struct Verdict: Sendable {
        var worstPing = Duration.zero
        var peakBytes = 0
        var faults: [String] = []
        /// Of a little work that was done again and again.
        fileprivate var wall = Duration.zero
        fileprivate var processor = Duration.zero

        /// How much longer the work took than the processor needed for it, since others wanted the machine too.
        var slowness: Double { max(1, wall / max(processor, .nanoseconds(1))) }
    }

    static let users = ["ann", "ben"]
    private static let room = "plaza"

    private let people: [Participant]
    private let mayBeRefused: Bool
    private let verdict = Mutex(Verdict())
    private let published = Mutex(0)
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// - Parameter mayBeRefused: whether messages may be refused, and come late.
    static func begin(
        on node: NodeProcess, _ credentials: [String: MartletClient.Credentials], mayBeRefused: Bool
    ) async throws -> Bystanders {
        var people: [Participant] = []
        for user in users {
            let participant = try await Participant.connect(to: node.clientURL, as: user) {
                $0.credentials = credentials[user] ?? $0.credentials
            }
            try await participant.join(room)
            people.append(participant)
        }
        let bystanders = Bystanders(people, mayBeRefused)
        bystanders.run(node)
        return bystanders
    }

    private init(_ people: [Participant], _ mayBeRefused: Bool) {
        self.people = people
        self.mayBeRefused = mayBeRefused
    }

    /// Stops talking, waits until all that was said has come, and judges.
    func end() async throws -> Verdict {
        let tasks = tasks.withLock { $0 }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        let count = published.withLock { $0 }
        var verdict = verdict.withLock { $0 }
        for person in people {
            try await eventually("\(person.user)'s messages") { person.latest(of: Bystanders.room) >= count }
            verdict.faults += person.faults(of: Bystanders.room, upTo: count).map { "\(person.user): \($0)" }
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
        let spin = Spin.measure()
        // A node that died is known by its clients.
        let resident = (try? ProcessUse(pid: node.pid))?.residentBytes ?? 0
        verdict.withLock { verdict in
            verdict.wall += spin.wall
            verdict.processor += spin.processor
            verdict.peakBytes = max(verdict.peakBytes, resident)
        }
    }

    private func ping(_ person: Participant) async {
        do {
            let time = try await person.client.ping()
            verdict.withLock { $0.worstPing = max($0.worstPing, time) }
        } catch MartletClient.Failure.cancelled {
            // The end came first.
        } catch {
            verdict.withLock { $0.faults.append("\(person.user)'s ping: \(error)") }
        }
    }

    private func say(_ person: Participant) async {
        let number = published.withLock { $0 }
        do {
            let seq = try await person.client.publish(Array("\(number)".utf8), to: Bystanders.room).seq
            published.withLock { $0 = max($0, seq) }
        } catch MartletClient.Failure.cancelled {
            // The end came first; whether it was stored shows in the stream.
        } catch {
            if mayBeRefused { return }
            verdict.withLock { $0.faults.append("\(person.user)'s message: \(error)") }
        }
    }
}

/// A little work for the processor.
private enum Spin {
    private static let length = Duration.milliseconds(2)

    static func measure() -> (wall: Duration, processor: Duration) {
        let start = (wall: ContinuousClock.now, processor: processorTime())
        while processorTime() - start.processor < length {}
        return (start.wall.duration(to: .now), processorTime() - start.processor)
    }

    private static func processorTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
