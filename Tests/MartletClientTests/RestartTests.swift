import GatewayCore
import MartletClient
import Testing

/// Clients that start again, and those who will not wait.
@Suite struct RestartTests: ClientSuite {
    @Test(arguments: [UInt16(1000), 4403, 4409])
    func `a client that has ended starts again, and its rooms go on where they were`(code: UInt16) async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        let held = try client.room("r")
        try await peer.acceptJoin(of: "r", at: 1)
        try await held.joined()
        if code == 1000 { await client.close() } else { peer.close(code, "enough") }
        await end(client)
        #expect(held.state != .joined && held.state != .joining)
        async let again = client.connect()
        peer = try await gateway.accept()
        // The session ended with the client.
        #expect(try await !peer.welcome().contains("session="))
        _ = try await again
        #expect(try await peer.acceptJoin(of: "r", at: 2) == ClientPosition(epoch: "e", seq: 1))
        try await held.joined()
        var messages = held.messages.makeAsyncIterator()
        peer.message("2", seq: 2)
        guard case .message = await messages.next() else { throw Ended() }
        await client.close()
        await gateway.stop()
    }

    @Test func `a client that never ran can be closed, and started after that`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        await client.close()
        async let welcome = client.connect()
        try await gateway.accept().welcome()
        _ = try await welcome
        async let closed: Void = client.close()
        // The start waits for the end.
        async let again = client.connect()
        await closed
        try await gateway.accept().welcome()
        _ = try await again
        await client.close()
        await gateway.stop()
    }

    @Test func `reconnect leaves a connection at once, and its session goes along`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) {
            $0.firstDelay = .seconds(3600); $0.maxDelay = .seconds(3600)
        }
        client.reconnect()
        _ = try await connect(client, gateway)
        client.reconnect()
        let peer = try await gateway.accept()
        #expect(try await peer.welcome(resumed: true).contains("session=s1"))
        try await passReconnect(client)
        await client.close()
        await gateway.stop()
    }

    @Test func `reconnect ends the wait for a connection`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) {
            $0.firstDelay = .seconds(3600); $0.maxDelay = .seconds(3600)
        }
        let peer = try await connect(client, gateway)
        peer.drop()
        guard case .disconnected = try await next(client) else { throw Ended() }
        client.reconnect()
        try await gateway.accept().welcome()
        guard case .connected = try await next(client) else { throw Ended() }
        await client.close()
        await gateway.stop()
    }

    @Test func `two loops over the events get each of them, and a program that reads none keeps none`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) { $0.eventLimit = 4 }
        var second = client.events.makeAsyncIterator()
        let peer = try await connect(client, gateway)
        guard case .connected = await second.next() else { throw Ended() }
        peer.message("8", in: "*", seq: 8)
        #expect(try await nextSeq(client) == 8)
        guard case .message = await second.next() else { throw Ended() }
        await client.close()

        var configuration = MartletClient.Configuration(url: gateway.url, credentials: .user("u"))
        configuration.eventLimit = 4
        let deaf = try MartletClient(configuration: configuration)
        async let welcome = deaf.connect()
        let other = try await gateway.accept()
        try await other.welcome()
        _ = try await welcome
        // Far beyond what would wait for a reader.
        for seq in 8...5000 { other.message("\(seq)", in: "*", seq: seq) }
        while deaf.position(of: "*")?.seq != 5000 { await Task.yield() }
        await deaf.close()
        await gateway.stop()
    }
}
