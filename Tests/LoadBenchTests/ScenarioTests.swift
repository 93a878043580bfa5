import Foundation
import LoadBench
import Testing

/// Whole runs against a gateway that does one thing wrong: each must be noticed, and nothing else told.
@Suite struct ScenarioTests {
    private static func options(_ gateway: ScriptedGateway, workers: Int = 0) -> LoadOptions {
        var options = LoadOptions(targets: [gateway.target], workerCommand: [], floorCommand: [])
        options.serverPids = [getpid()]
        // Whatever Redis another test has started is not this one's.
        options.redisPid = getpid()
        options.workers = workers
        options.patience = 2
        return options
    }

    private static func quiet() -> RunProgress { RunProgress { _ in } }

    private func resume(_ wrong: ScriptedGateway.Wrong) async throws -> BenchReport {
        let gateway = try ScriptedGateway(wrong)
        defer { gateway.stop() }
        return try await onThread {
            var options = Self.options(gateway)
            // Only a session that is refused ends before a load machine has had its time.
            options.patience = 60
            return try ResumeScenario(
                options: options, connections: 12, rooms: 3, missed: 5, payloadBytes: 100,
                way: .batch(api: gateway.target, key: "k", size: 4), settleSeconds: 0
            ).run(title: "resume", progress: Self.quiet())
        }
    }

    @Test func `all who come back get what they missed, once and in order`() async throws {
        let report = try await resume(.nothing)
        #expect(report.faults == [])
        #expect(report.figure("connections") == 12)
        #expect(report.figure("messages caught up with") == 60)
        #expect(report.latency?.count == 12)
    }

    @Test(arguments: [
        (ScriptedGateway.Wrong.losesReplay, "12 of 60 missed messages lost"),
        (.repeatsReplay, "12 messages repeated"), (.swapsReplay, "12 messages out of order"),
        (.forgetsSessions, "12 connections not made: its session was not resumed"),
    ])
    func `a replay that is not whole is told`(_ wrong: ScriptedGateway.Wrong, _ fault: String) async throws {
        let report = try await resume(wrong)
        #expect(report.faults.contains(fault), "\(report.faults)")
    }

    private func presence(_ wrong: ScriptedGateway.Wrong) async throws -> BenchReport {
        let gateway = try ScriptedGateway(wrong)
        defer { gateway.stop() }
        return try await onThread {
            try PresenceScenario(
                options: Self.options(gateway), rooms: 2, members: 4, churners: 3, rate: nil, seconds: 0.3,
                warmupSeconds: 0
            ).run(title: "presence", progress: Self.quiet())
        }
    }

    @Test func `joins and leaves that all are told of once have no faults`() async throws {
        let report = try await presence(.nothing)
        #expect(report.faults == [])
        #expect(try #require(report.figure("joins")) > 0)
        #expect(try #require(report.figure("presence events delivered")) > 0)
    }

    @Test(arguments: [
        (ScriptedGateway.Wrong.losesJoin, "joins and leaves were not told"), (.losesJoin, "never told to all"),
        (.repeatsLeave, "were told twice"), (.repeatsLeave, "did not follow on the version before"),
        (.miscountsMembers, "members, and said"),
    ])
    func `joins and leaves told wrongly are noticed`(_ wrong: ScriptedGateway.Wrong, _ fault: String) async throws {
        let report = try await presence(wrong)
        #expect(report.faults.contains { $0.contains(fault) }, "\(report.faults)")
    }

    private func fanout(_ gateway: ScriptedGateway, _ way: PublishPlan.Way) -> FanoutScenario {
        FanoutScenario(
            options: Self.options(gateway), rooms: 2, members: 5, publishers: 2, payloadBytes: 100,
            picksRandomly: false,
            publish: PublishPlan(
                way: way, pace: .window(2), messages: 20, seconds: 60, warmupSeconds: 0, drainSeconds: 60))
    }

    @Test func `what goes to everyone reaches the members of all rooms`() async throws {
        let gateway = try ScriptedGateway()
        defer { gateway.stop() }
        let report = try await onThread {
            var scenario = fanout(gateway, .rest(api: gateway.target, key: "k"))
            scenario.isToEveryone = true
            return try scenario.run(title: "everyone", progress: Self.quiet())
        }
        #expect(report.faults == [])
        #expect(report.figure("deliveries") == 200)
    }

    @Test func `bare payloads, as nchan sends them, are checked like any others`() async throws {
        let gateway = try ScriptedGateway()
        defer { gateway.stop() }
        let report = try await onThread {
            try fanout(gateway, .nchan(gateway.target)).runOnNchan(title: "nchan", progress: Self.quiet())
        }
        #expect(report.faults == [])
        #expect(report.figure("deliveries") == 100)
        #expect(gateway.paths.contains { $0.hasPrefix("/pub?id=bench-") })
    }

    @Test func `with a secret users show tokens and name themselves no more`() async throws {
        let gateway = try ScriptedGateway()
        defer { gateway.stop() }
        _ = try await onThread {
            var scenario = fanout(gateway, .rest(api: gateway.target, key: "k"))
            scenario.options.tokens = Tokens(secret: "0123456789abcdef0123456789abcdef")
            return try scenario.run(title: "tokens", progress: Self.quiet())
        }
        let openings = gateway.paths.filter { $0.hasPrefix("/ws") }
        #expect(openings.count == 10)
        #expect(Set(openings).count == 10)
        // The first two parts begin with an opening brace in base64url.
        #expect(openings.allSatisfy { $0.hasPrefix("/ws?token=eyJ") && $0.split(separator: ".").count == 3 })
    }
}
