import GatewayCore
import RedisBackend
import Synchronization
import TestKit
import Testing
import TestSupport

@Suite("The ledger's receivers and a Redis that dies")
struct WebhookLedgerFaults {
    private func persistent() -> RedisServerProcess.Options {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        return options
    }

    @Test func `after a restart of Redis what was given and not settled comes again under the same ids`() async throws {
        let bench = try await LedgerBench(options: persistent())
        try await bench.write(["user.online a", "user.online b"])
        let batch = try #require(try await bench.gather())
        bench.redis.kill9()
        try bench.redis.restart(keepingData: true)
        let again = try await bench.patiently { try await bench.gather() }
        #expect(again?.events == batch.events)
        try await bench.settle(try #require(again))
        try await bench.write(["user.online c"])
        let news = try #require(try await bench.gather())
        #expect(news.texts == ["user.online c"] && news.lag == 1)
        // Another run, another name of birth: an id that the lost end of the ledger had would not come twice.
        #expect(news.events[0].id.split(separator: "-").last != batch.events[0].id.split(separator: "-").last)
    }

    @Test func `in an emptied Redis all that the new ledger holds is given, under ids of its own`() async throws {
        let bench = try await LedgerBench()
        try await bench.write(["user.online a"])
        let batch = try #require(try await bench.gather())
        try bench.redis.restart(keepingData: false)
        let next = try await bench.patiently { try await bench.takeOver() }
        // The same id of the ledger, as a clock that was set back could give it.
        _ = try await bench.link.send([
            "XADD", .string(bench.events), .string(batch.entries[0]), "t", "user.online", "u", "b", "r", "", "c",
            "restored",
        ])
        let news = try #require(try await bench.gather(under: next))
        #expect(news.texts == ["user.online b restored"])
        #expect(news.entries == batch.entries && news.events[0].id != batch.events[0].id)
    }
}

extension LedgerBench {
    /// Tries again until Redis is back.
    func patiently<Value: Sendable>(_ ask: @Sendable () async throws -> Value) async throws -> Value {
        let answer = Mutex<Value?>(nil)
        try await eventually("Redis's return", within: .seconds(60)) {
            do {
                let value = try await ask()
                answer.withLock { $0 = value }
                return true
            } catch LedgerError.refused {
                throw LedgerError.refused
            } catch {
                return false
            }
        }
        return try #require(answer.withLock { $0 })
    }
}
