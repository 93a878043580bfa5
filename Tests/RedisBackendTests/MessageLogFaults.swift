import GatewayCore
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

@Suite("The log in Redis under fire", .serialized)
struct MessageLogFaults {
    @Test func `a thousand messages whose answers were lost are stored once, in order`() async throws {
        let fixture = try RedisFixture()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        try await fixture.withBackends(["redis://127.0.0.1:\(proxy.port)"]) { backends in
            let answers = Answers()
            try await proxy.treat(.toClient, .drop)
            for index in 1...1000 {
                backends[0].messageLog.publish(Publication(room, "\(index)")) { answers.record($0, of: index) }
            }
            let log = Keys(prefix: "m").log(room).name
            try await eventually { try await fixture.redis.cli("XLEN", log) == "1000" }
            try await proxy.treat(.toClient, .pass, isForNewOnly: true)
            try await proxy.cutAll()

            try await eventually { answers.count == 1000 }
            #expect(answers.numbers == Array(1...1000))
            #expect(try await fixture.redis.cli("XLEN", log) == "1000")
        }
        try await proxy.stop()
    }

    @Test(arguments: Refusal.allCases)
    func `behind one that Redis refused nothing is stored twice when the link breaks`(refusal: Refusal) async throws {
        let fixture = try RedisFixture()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        let url = "redis://127.0.0.1:\(proxy.port)"
        try await fixture.withBackends([url], configure: { $1 = MessageLogFaults.patient($1) }) { backends in
            let answers = Answers()
            let log = Keys(prefix: "m").log(room).name
            func publish(_ index: Int) {
                backends[0].messageLog.publish(Publication(room, "\(index)")) { answers.record($0, of: index) }
            }
            try await proxy.treat(.toClient, .drop)
            publish(1)
            try await eventually { try await fixture.redis.cli("XLEN", log) == "1" }
            try await refusal.begin(fixture.redis)
            publish(2)
            try await eventually("the refusal") {
                try await fixture.redis.cli("INFO", "errorstats").contains("errorstat_\(refusal.code):")
            }
            try await refusal.end(fixture.redis)
            for index in 3...4 { publish(index) }
            try await eventually { try await fixture.redis.cli("XLEN", log) == "3" }
            try await proxy.treat(.toClient, .pass, isForNewOnly: true)
            try await proxy.cutAll()

            try await eventually { answers.count + answers.failures.count == 4 }
            #expect(answers.positions == [1: 1, 3: 2, 4: 3])
            #expect(answers.failures == [.unavailable(reason: "Redis answered MARTLET refused")])
            let page = try await backends[0].messageLog.history(
                of: room, range: HistoryRange(edge: .after(0), limit: 10))
            #expect(page.messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["1", "3", "4"])
        }
        try await proxy.stop()
    }

    @Test(arguments: Refusal.allCases)
    func `what was stored is acknowledged though Redis refuses its repeat`(refusal: Refusal) async throws {
        let fixture = try RedisFixture()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        let url = "redis://127.0.0.1:\(proxy.port)"
        try await fixture.withBackends([url], configure: { $1 = MessageLogFaults.patient($1) }) { backends in
            let answers = Answers()
            let log = Keys(prefix: "m").log(room).name
            func publish(_ index: Int) {
                backends[0].messageLog.publish(Publication(room, "\(index)")) { answers.record($0, of: index) }
            }
            try await proxy.treat(.toClient, .drop)
            for index in 1...2 { publish(index) }
            try await eventually { try await fixture.redis.cli("XLEN", log) == "2" }
            try await refusal.begin(fixture.redis)
            publish(3)
            try await eventually("the refusal") {
                try await fixture.redis.cli("INFO", "errorstats").contains("errorstat_\(refusal.code):")
            }
            try await proxy.treat(.toClient, .pass, isForNewOnly: true)
            try await proxy.cutAll()

            try await eventually { answers.count + answers.failures.count == 3 }
            #expect(answers.positions == [1: 1, 2: 2])
            guard case .unavailable(let reason)? = answers.failures.first else {
                Issue.record("\(answers.failures)")
                return
            }
            #expect(reason.contains(refusal.code))
            try await refusal.end(fixture.redis)
        }
        try await proxy.stop()
    }

    /// One that gives up nothing because a busy machine is slow, and leaves refusals to Redis.
    private static func patient(_ configuration: Backend.Configuration) -> Backend.Configuration {
        var configuration = configuration
        configuration.redis.failFastAfter = .seconds(60)
        configuration.memoryBudget = .off
        return configuration
    }

    @Test func `what a restart left unanswered is answered under the new epoch, with its old number`() async throws {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let fixture = try RedisFixture(options)
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        // A restart takes its time on a busy machine, and what waits for it must not give up.
        try await fixture.withBackends(["redis://127.0.0.1:\(proxy.port)"]) { backends in
            let answers = Answers()
            try await proxy.treat(.toClient, .drop)
            for index in 1...3 {
                backends[0].messageLog.publish(Publication(room, "\(index)")) { answers.record($0, of: index) }
            }
            let log = Keys(prefix: "m").log(room).name
            try await eventually { try await fixture.redis.cli("XLEN", log) == "3" }
            fixture.redis.kill9()
            try await proxy.treat(.toClient, .pass)
            try fixture.redis.restart(keepingData: true)

            try await eventually { answers.count + answers.failures.count == 3 }
            #expect(answers.failures == [])
            #expect(answers.numbers == [1, 2, 3])
            let next = try await backends[0].messageLog.publish(Publication(room, "4"))
            #expect(next.position.seq == 4)
            #expect(answers.epochs == [next.position.epoch])
        }
        try await proxy.stop()
    }
}

/// Why Redis refuses to write.
enum Refusal: CaseIterable {
    case full, alone

    /// How its errors begin.
    var code: String {
        switch self {
        case .full: "OOM"
        case .alone: "NOREPLICAS"
        }
    }

    func begin(_ redis: RedisServerProcess) async throws {
        switch self {
        case .full: _ = try await redis.cli("CONFIG", "SET", "maxmemory", "1mb")
        case .alone: _ = try await redis.cli("CONFIG", "SET", "min-replicas-to-write", "1")
        }
    }

    func end(_ redis: RedisServerProcess) async throws {
        switch self {
        case .full: _ = try await redis.cli("CONFIG", "SET", "maxmemory", "0")
        case .alone: _ = try await redis.cli("CONFIG", "SET", "min-replicas-to-write", "0")
        }
    }
}

/// What became of messages that were published without waiting.
private final class Answers: Sendable {
    private let answers = Mutex<[Int: Position]>([:])
    private let errors = Mutex<[BackendError]>([])

    func record(_ result: Result<Published, BackendError>, of index: Int) {
        switch result {
        case .success(let published): answers.withLock { $0[index] = published.position }
        case .failure(let error): errors.withLock { $0.append(error) }
        }
    }

    var failures: [BackendError] { errors.withLock { $0 } }

    var count: Int { answers.withLock { $0.count } }
    /// The `seq` of each that was stored.
    var positions: [Int: Int] { answers.withLock { $0.mapValues(\.seq) } }
    /// The `seq` of each, in the order in which they were published.
    var numbers: [Int] { answers.withLock { all in all.keys.sorted().compactMap { all[$0]?.seq } } }
    var epochs: Set<String> { answers.withLock { Set($0.values.map(\.epoch)) } }
}
