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
                backends[0].messageLog.publish(Publication(room, "\(index)")) { answers.take($0, of: index) }
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
                backends[0].messageLog.publish(Publication(room, "\(index)")) { answers.take($0, of: index) }
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

/// What became of messages that were published without waiting.
private final class Answers: Sendable {
    private let answers = Mutex<[Int: Position]>([:])
    private let errors = Mutex<[BackendError]>([])

    func take(_ result: Result<Published, BackendError>, of index: Int) {
        switch result {
        case .success(let published): answers.withLock { $0[index] = published.position }
        case .failure(let error): errors.withLock { $0.append(error) }
        }
    }

    var failures: [BackendError] { errors.withLock { $0 } }

    var count: Int { answers.withLock { $0.count } }
    /// The `seq` of each, in the order in which they were published.
    var numbers: [Int] { answers.withLock { all in all.keys.sorted().compactMap { all[$0]?.seq } } }
    var epochs: Set<String> { answers.withLock { Set($0.values.map(\.epoch)) } }
}
