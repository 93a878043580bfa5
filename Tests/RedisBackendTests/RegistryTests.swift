import GatewayCore
import TestKit
import Testing

import RedisBackend

@Suite("Nodes in the index")
struct RegistryTests {
    @Test func `every live node is listed with what it says of itself`() async throws {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            let nodes = try await backends[1].directory.nodes()
            #expect(nodes.map(\.nodeId) == ["node-0", "node-1"])
            #expect(nodes.allSatisfy { $0.load == NodeLoad(connections: 1, rooms: 2, processor: 0.5) })
        }
    }
}
