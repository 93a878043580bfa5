import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Who spends most")
struct SpenderReportTests {
    @Test func `what nodes tell is summed up by name, byte for byte, and a node that is gone is not counted`()
        async throws
    {
        let fixture = try RedisFixture()
        // A combining character at the beginning, and one name in two spellings.
        let names = ["\u{308}a b", "e\u{301}", "\u{e9}"]
        try await fixture.withBackends(
            [nil, nil],
            configure: { index, configuration in
                configuration.spenderInterval = .milliseconds(50)
                configuration.spenders = {
                    [
                        .users: names.enumerated().map { number, name in
                            Spender(
                                name: name,
                                spending: Spending(
                                    bytesIn: number + 1, bytesOut: 10, redisNanoseconds: 100,
                                    processorNanoseconds: index))
                        }, .rooms: [Spender(name: "r", spending: Spending(bytesOut: 7))],
                    ]
                }
            }
        ) { backends in
            _ = try await fixture.redis.cli("SET", "m:{nodes}:top:gone", "u 9 9 9 9 gone\n")
            try await eventually("both reports") {
                try await backends[1].spenderDirectory.spenders(.rooms).first?.spending.bytesOut == 14
            }
            let users = try await backends[0].spenderDirectory.spenders(.users)
            #expect(users.count == 3)
            for (number, name) in names.enumerated() {
                let spending = users.first { $0.name.utf8.elementsEqual(name.utf8) }?.spending
                #expect(
                    spending
                        == Spending(
                            bytesIn: 2 * (number + 1), bytesOut: 20, redisNanoseconds: 200, processorNanoseconds: 1))
            }
            #expect(try await backends[0].spenderDirectory.spenders(.addresses).isEmpty)
            let life = try await fixture.redis.cli("PTTL", "m:{nodes}:top:node-0")
            #expect(Int(life).map { (1...15_000).contains($0) } == true)
        }
    }
}
