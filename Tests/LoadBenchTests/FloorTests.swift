import Foundation
import LoadBench
import Testing

/// Whole runs against the floor server, which runs on a thread of this process.
@Suite struct FloorTests {
    private func run(_ change: @Sendable @escaping (inout FanoutScenario) -> Void) async throws -> BenchReport {
        let (listener, port) = try FloorServer.open()
        let lifeline = Pipe()
        async let served: Void = onThread {
            try FloorServer.serve(listener, lifeline: lifeline.fileHandleForReading.fileDescriptor)
        }
        let report = try await onThread {
            let target = LoopbackTarget.localhost(port: port)
            var scenario = FanoutScenario(
                options: LoadOptions(targets: [target], workerCommand: [], floorCommand: []), rooms: 3, members: 20,
                publishers: 2, payloadBytes: 200, picksRandomly: true,
                publish: PublishPlan(
                    way: .floor, pace: .window(4), messages: 60, seconds: 60, warmupSeconds: 0, drainSeconds: 60))
            scenario.options.workers = 0
            change(&scenario)
            return try scenario.run(
                onFloorAt: target, serverPid: getpid(), title: "floor", progress: RunProgress { _ in })
        }
        // A byte, not the end: a child of another test may hold the pipe open.
        try lifeline.fileHandleForWriting.write(contentsOf: Data([0]))
        try await served
        // Its descriptors live as long as it does, and the server reads one to the end.
        withExtendedLifetime(lifeline) {}
        return report
    }

    @Test func `every member of a room gets every message once`() async throws {
        let report = try await run { _ in }
        #expect(report.faults == [])
        #expect(report.figure("messages") == 60)
        #expect(report.figure("deliveries") == 1200)
        #expect(report.latency?.count == 1200)
    }

    @Test func `a rate is kept until the number of messages is reached`() async throws {
        let report = try await run {
            $0.publish.pace = .rate(2000)
            $0.publish.messages = 100
            $0.picksRandomly = false
        }
        #expect(report.faults == [])
        #expect(report.figure("deliveries") == 2000)
        // The hundredth is due 49.5 ms after the first.
        #expect(try #require(report.figure("time")) >= 0.0495)
    }

    @Test func `connections from many source addresses and large payloads change nothing`() async throws {
        let report = try await run {
            $0.options.sources = 7
            $0.payloadBytes = 40_000
            $0.publishers = 5
        }
        #expect(report.faults == [])
        #expect(report.figure("deliveries") == 1200)
    }

    @Test func `a server that cannot be reached leaves nothing to publish to`() async throws {
        let failure = await #expect(throws: BenchFailure.self) {
            try await onThread {
                // Nobody listens on port 1.
                let target = LoopbackTarget.localhost(port: 1)
                var options = LoadOptions(targets: [target], workerCommand: [], floorCommand: [])
                options.workers = 0
                _ = try FanoutScenario(
                    options: options, rooms: 1, members: 2, publishers: 0, payloadBytes: 100, picksRandomly: false,
                    publish: PublishPlan(
                        way: .floor, pace: .window(1), messages: 1, seconds: 60, warmupSeconds: 0, drainSeconds: 60)
                ).run(onFloorAt: target, serverPid: getpid(), title: "", progress: RunProgress { _ in })
            }
        }
        #expect(failure?.description.contains("2 connections not made: Connection refused") == true)
    }
}
