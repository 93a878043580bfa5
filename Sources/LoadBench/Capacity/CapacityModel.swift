/// How many connections a node holds and how many nodes a deployment needs: the least of five budgets.
///
/// Pure. What one thing costs was measured on a machine; what there is to be, and what a machine has, is said.
package struct CapacityModel: Sendable {
    /// What was measured.
    package struct Costs: Codable, Sendable, Equatable {
        /// Memory of the node and of Redis for a connection in one room.
        package var nodeBytesPerConnection: Double
        package var redisBytesPerConnection: Double
        /// Processor seconds in each second for a connection that does nothing.
        package var nodeIdlePerConnection: Double
        package var redisIdlePerConnection: Double
        /// Processor seconds for a connection's way in, with one join.
        package var nodePerConnect: Double
        package var redisPerConnect: Double
        /// Processor seconds for a message by REST, and for each member that it reaches.
        package var nodePerMessage: Double
        package var redisPerMessage: Double
        package var nodePerDelivery: Double

        package init(
            nodeBytesPerConnection: Double, redisBytesPerConnection: Double, nodeIdlePerConnection: Double,
            redisIdlePerConnection: Double, nodePerConnect: Double, redisPerConnect: Double, nodePerMessage: Double,
            redisPerMessage: Double, nodePerDelivery: Double
        ) {
            self.nodeBytesPerConnection = nodeBytesPerConnection
            self.redisBytesPerConnection = redisBytesPerConnection
            self.nodeIdlePerConnection = nodeIdlePerConnection
            self.redisIdlePerConnection = redisIdlePerConnection
            self.nodePerConnect = nodePerConnect
            self.redisPerConnect = redisPerConnect
            self.nodePerMessage = nodePerMessage
            self.redisPerMessage = redisPerMessage
            self.nodePerDelivery = nodePerDelivery
        }
    }

    /// What one node has.
    package struct Machine: Codable, Sendable, Equatable {
        package var cores: Double
        package var memoryBytes: Double
        package var descriptors: Double
        package var networkBitsPerSecond: Double

        package init(cores: Double, memoryBytes: Double, descriptors: Double, networkBitsPerSecond: Double) {
            self.cores = cores
            self.memoryBytes = memoryBytes
            self.descriptors = descriptors
            self.networkBitsPerSecond = networkBitsPerSecond
        }
    }

    /// What there is to be, in all.
    package struct Wish: Codable, Sendable, Equatable {
        package var connections: Double
        package var messagesPerSecond: Double
        /// Members that one message reaches.
        package var receivers: Double
        package var payloadBytes: Double

        package init(connections: Double, messagesPerSecond: Double, receivers: Double, payloadBytes: Double) {
            self.connections = connections
            self.messagesPerSecond = messagesPerSecond
            self.receivers = receivers
            self.payloadBytes = payloadBytes
        }
    }

    package struct Budget: Codable, Sendable, Equatable {
        package var name: String
        /// As many connections a node holds by it.
        package var connections: Double
    }

    package struct Answer: Codable, Sendable, Equatable {
        /// The least first.
        package var budgets: [Budget]
        /// Where one is lost, those that are left hold all.
        package var nodes: Int
        /// On each, while all are there.
        package var connectionsPerNode: Int
        /// Of a node's cores, while all are there, and with one lost.
        package var nodeProcessorShare: Double
        package var nodeProcessorShareWithOneLost: Double
        /// Of one core, in all; one server has one.
        package var redisProcessorShare: Double
        package var redisServers: Int
        /// Without logs.
        package var redisBytes: Double
        /// Until the clients of a lost node are back on the others.
        package var secondsUntilBack: Double

        package var connectionsPerNodeAtMost: Int { budgets.first.map { Int($0.connections) } ?? 0 }
    }

    private let costs: Costs
    private let machine: Machine

    /// How much of processor, memory and network is to be used: what is left carries peaks and the return of clients.
    package static let share = 0.7
    /// Of a frame beside its payload, of TCP and IP below it.
    private static let frameOverhead = 190.0
    /// What a node needs beside clients' sockets.
    private static let spareDescriptors = 500.0
    /// What each node takes in a second by default (`client.acceptRate`).
    private static let acceptRate = 5_000.0

    package init(costs: Costs, machine: Machine) {
        self.costs = costs
        self.machine = machine
    }

    package func answer(to wish: Wish) -> Answer {
        let messages = wish.messagesPerSecond / wish.connections
        let deliveries = messages * wish.receivers
        let processor =
            costs.nodeIdlePerConnection + messages * costs.nodePerMessage + deliveries * costs.nodePerDelivery
        let bits = deliveries * (wish.payloadBytes + CapacityModel.frameOverhead) * 8
        func least(_ name: String, _ there: Double, _ each: Double) -> Budget {
            Budget(name: name, connections: each > 0 ? there / each : .greatestFiniteMagnitude)
        }
        let share = CapacityModel.share
        let budgets = [
            least("processor", machine.cores * share, processor),
            least("memory", machine.memoryBytes * share, costs.nodeBytesPerConnection),
            least("network", machine.networkBitsPerSecond * share, bits),
            least("descriptors", machine.descriptors - CapacityModel.spareDescriptors, 1),
        ].sorted { $0.connections < $1.connections }
        let most = max(1, (budgets.first?.connections ?? 1).rounded(.down))
        let nodes = (wish.connections / most).rounded(.up) + 1
        let redis =
            wish.connections * costs.redisIdlePerConnection + wish.messagesPerSecond * costs.redisPerMessage
        let used = wish.connections * processor / machine.cores
        return Answer(
            budgets: budgets, nodes: Int(nodes), connectionsPerNode: Int((wish.connections / nodes).rounded(.up)),
            nodeProcessorShare: used / nodes, nodeProcessorShareWithOneLost: used / (nodes - 1),
            redisProcessorShare: redis, redisServers: max(1, Int((redis / share).rounded(.up))),
            redisBytes: wish.connections * costs.redisBytesPerConnection,
            secondsUntilBack: back(wish, nodes: nodes, busy: used / (nodes - 1), redis: redis))
    }

    /// The slowest of the nodes' acceptance, their processors, and Redis's.
    private func back(_ wish: Wish, nodes: Double, busy: Double, redis: Double) -> Double {
        let clients = wish.connections / nodes
        let each = clients / (nodes - 1)
        let free = max(0.05, 1 - busy) * machine.cores
        let servers = max(1, (redis / CapacityModel.share).rounded(.up))
        let freeOfRedis = max(0.05, 1 - redis / servers) * servers
        return max(
            each / CapacityModel.acceptRate, each * costs.nodePerConnect / free,
            clients * costs.redisPerConnect / freeOfRedis)
    }
}
