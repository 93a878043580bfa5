import LoadBench
import Testing

@Suite("How many nodes are needed")
struct CapacityModelTests {
    private let costs = CapacityModel.Costs(
        nodeBytesPerConnection: 4096, redisBytesPerConnection: 1024, nodeIdlePerConnection: 1e-6,
        redisIdlePerConnection: 1e-7, nodePerConnect: 200e-6, redisPerConnect: 100e-6, nodePerMessage: 100e-6,
        redisPerMessage: 50e-6, nodePerDelivery: 5e-6)
    private let machine = CapacityModel.Machine(
        cores: 2, memoryBytes: 4 * 1_073_741_824, descriptors: 1_048_576, networkBitsPerSecond: 1e9)

    private func answer(
        _ connections: Double, messages: Double = 1_000, receivers: Double = 50,
        change: (inout CapacityModel.Machine) -> Void = { _ in }
    ) -> CapacityModel.Answer {
        var machine = machine
        change(&machine)
        return CapacityModel(costs: costs, machine: machine).answer(
            to: .init(connections: connections, messagesPerSecond: messages, receivers: receivers, payloadBytes: 256))
    }

    @Test func `the least of the budgets decides, and each can be it`() {
        #expect(answer(100_000, messages: 20_000) { $0.networkBitsPerSecond = 1e11 }.budgets.first?.name == "processor")
        #expect(answer(100_000) { $0.memoryBytes = 67_108_864 }.budgets.first?.name == "memory")
        #expect(answer(100_000) { $0.networkBitsPerSecond = 1e6 }.budgets.first?.name == "network")
        let few = answer(100_000) { $0.descriptors = 1_024 }
        #expect(few.budgets.first?.name == "descriptors" && few.connectionsPerNodeAtMost == 524)
        #expect(few.nodes == 192)
    }

    @Test func `one more node than hold all, so that one may be lost`() {
        let answer = answer(100_000) { $0.descriptors = 12_500 }
        #expect(answer.connectionsPerNodeAtMost == 12_000 && answer.nodes == 10)
        #expect(answer.connectionsPerNode == 10_000)
        // 0.1 for idling, 0.1 for messages, 0.25 for deliveries, of two cores each.
        #expect(abs(answer.nodeProcessorShare - 0.45 / 20) < 1e-9)
        #expect(abs(answer.nodeProcessorShareWithOneLost - 0.45 / 18) < 1e-9)
        #expect(self.answer(1).nodes == 2)
    }

    @Test func `Redis is counted in all, and is several servers where one core does not do`() {
        let small = answer(100_000)
        #expect(abs(small.redisProcessorShare - 0.06) < 1e-9 && small.redisServers == 1)
        #expect(small.redisBytes == 102_400_000)
        #expect(answer(100_000, messages: 30_000).redisServers == 3)
    }

    @Test func `the clients of a lost node come back as fast as nodes and Redis let them in`() {
        // 1,112 clients for each of nine others by the accept rate; 10,000 connects cost Redis a second.
        let answer = answer(100_000) { $0.descriptors = 12_500 }
        #expect(abs(answer.secondsUntilBack - 1 / 0.94) < 1e-6)
    }

    @Test func `two runs tell a message's cost from a delivery's`() {
        let (message, delivery) = CapacityScenario.solve((1_000, 1_000, 0.105), (100, 30_000, 0.16))
        #expect(abs(message - 100e-6) < 1e-12 && abs(delivery - 5e-6) < 1e-12)
        let odd = CapacityScenario.solve((1_000, 1_000, 0.1), (100, 30_000, 0.001))
        #expect(odd.message > 0 && odd.delivery == 0)
        #expect(CapacityScenario.solve((10, 10, 1), (10, 10, 1)) == (0.1, 0))
    }
}
