import GatewayCore
import MartletClient
import Testing

/// Messages that outlive their connection.
@Suite struct PublishTests: ClientSuite {
    private func payload(_ request: ClientRequest) -> (text: String, key: String?)? {
        guard case .message(let message) = request.command else { return nil }
        return (String(decoding: message.payload, as: UTF8.self), message.dedupe)
    }

    private func ack(_ request: ClientRequest, seq: Int, from peer: Peer) {
        peer.send(
            .ack(
                id: request.id, room: RoomName(unchecked: "r"),
                published: Published(position: Position(epoch: "", seq: seq), timestamp: 9)))
    }

    private func resume(_ peer: Peer) async throws {
        try await peer.acceptResume(
            ["r", "@u", "*"].map {
                ResumedRoom(
                    room: RoomName(unchecked: $0),
                    outcome: .joined(position: Position(epoch: "e", seq: $0 == "*" ? 7 : 0), recovered: true))
            })
    }

    @Test func `a message whose answer was lost goes again under its key and resolves once`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway, joining: "r", at: 0)
        async let first = client.publish(Array("1".utf8), to: "r")
        let sent = try #require(payload(try await peer.request()))
        async let second = client.publish(Array("2".utf8), to: "r", dedupe: "mine")
        _ = try await peer.request()
        peer.drop()

        peer = try await gateway.accept()
        try await peer.welcome(resumed: true)
        try await resume(peer)
        let again = try await peer.request()
        #expect(try #require(payload(again)) == sent)
        #expect(sent.key?.isEmpty == false)
        ack(again, seq: 1, from: peer)
        #expect(try await first.seq == 1)
        let other = try await peer.request()
        #expect(try #require(payload(other)) == ("2", "mine"))
        ack(other, seq: 2, from: peer)
        #expect(try await second.seq == 2)
        await client.close()
        await gateway.stop()
    }

    @Test func `messages published while away wait for their room and go in their order`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) {
            $0.firstDelay = .seconds(3600); $0.maxDelay = .seconds(3600)
        }
        var peer = try await connect(client, gateway, joining: "r", at: 0)
        peer.send(.reconnect(afterMilliseconds: 500))
        _ = try await next(client)
        peer.drop()
        guard case .disconnected = try await next(client) else { throw Ended() }
        await #expect(throws: MartletClient.Failure.notConnected) {
            try await client.publish(Array("0".utf8), to: "not-joined")
        }
        let acks = EventBuffer<Int>(limit: 10)
        var tasks: [Task<Void, any Error>] = []
        for number in 1...3 {
            // Each is on its way before the next begins, or the order would be nobody's.
            let before = client.pendingRequests
            tasks.append(Task { _ = acks.append(try await client.publish(Array("\(number)".utf8), to: "r").seq) })
            while client.pendingRequests == before { await Task.yield() }
        }
        peer = try await gateway.accept()
        try await peer.welcome(session: "s2")
        try await peer.acceptJoin(of: "r", at: 0)
        for number in 1...3 {
            let request = try await peer.request()
            #expect(try #require(payload(request)).text == "\(number)")
            ack(request, seq: number, from: peer)
        }
        for number in 1...3 { #expect(await acks.next() == number) }
        for task in tasks { try await task.value }
        await client.close()
        await gateway.stop()
    }

    @Test func `a message that waits too long, for too much, or for a room that is gone fails`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) {
            $0.firstDelay = .seconds(3600); $0.maxDelay = .seconds(3600)
            $0.publishTimeout = .milliseconds(200)
            $0.maxPendingBytes = 1000
        }
        var peer = try await connect(client, gateway, joining: "r", at: 0)
        peer.send(.reconnect(afterMilliseconds: 600))
        _ = try await next(client)
        peer.drop()
        guard case .disconnected = try await next(client) else { throw Ended() }
        await #expect(throws: MartletClient.Failure.tooManyPending) {
            try await client.publish(Array(repeating: UInt8(ascii: "1"), count: 1000), to: "r")
        }
        await #expect(throws: MartletClient.Failure.timedOut) { try await client.publish(Array("1".utf8), to: "r") }
        peer = try await gateway.accept()
        try await peer.welcome(resumed: true)
        let waiting = Task { try await client.publish(Array("2".utf8), to: "r") }
        let request = try await peer.request()
        guard case .resume = request.command else { throw Ended() }
        while client.pendingRequests < 2 { await Task.yield() }
        peer.send(
            .resumed(
                id: request.id, rooms: [ResumedRoom(room: RoomName(unchecked: "r"), outcome: .refused(.forbidden))]))
        await #expect(throws: MartletClient.Failure.self) { try await waiting.value }
        await client.close()
        await gateway.stop()
    }

    @Test func `a client that ends leaves no message waiting`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 0)
        let waiting = Task { try await client.publish(Array("1".utf8), to: "r") }
        _ = try await peer.request()
        peer.close(4403, "enough")
        await #expect(throws: MartletClient.Failure.stopped(code: 4403, reason: "enough")) { try await waiting.value }
        await gateway.stop()
    }

    @Test func `a message too many goes again when the gateway has said to`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 0)
        async let stored = client.publish(Array("1".utf8), to: "r")
        let first = try await peer.request()
        let sent = try #require(payload(first))
        let start = ContinuousClock.now
        peer.send(.error(id: first.id, error: RequestError(.rateLimited, "slow down", retryAfterMilliseconds: 200)))
        let again = try await peer.request()
        let waited = start.duration(to: .now)
        #expect(try #require(payload(again)) == sent)
        #expect(waited > .milliseconds(150))
        ack(again, seq: 1, from: peer)
        #expect(try await stored.seq == 1)
        await client.close()
        await gateway.stop()
    }

    @Test func `hundreds of messages at once go no faster than the gateway takes them`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 0)
        let start = ContinuousClock.now
        let tasks = (0..<400).map { number in Task { try await client.publish(Array("\(number)".utf8), to: "r") } }
        while client.pendingRequests < 400 { await Task.yield() }
        async let pong = client.ping()
        var before = 0
        while true {
            let request = try await peer.request()
            if case .ping = request.command {
                peer.send(.pong(id: request.id))
                break
            }
            before += 1
        }
        _ = try await pong
        let seconds = start.duration(to: .now) / .seconds(1)
        #expect(before >= 150 && before <= 151 + Int(90 * seconds))
        await client.close()
        for task in tasks { _ = await task.result }
        await gateway.stop()
    }

    @Test func `a message that is not answered for five seconds has the connection asked whether it lives`()
        async throws
    {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 0)
        let start = ContinuousClock.now
        let waiting = Task { try await client.publish(Array("1".utf8), to: "r") }
        let request = try await peer.request()
        guard case .ping = try await peer.frame() else { throw Ended() }
        let asked = start.duration(to: .now)
        #expect(asked > .seconds(4) && asked < .seconds(15))
        ack(request, seq: 1, from: peer)
        #expect(try await waiting.value.seq == 1)
        await client.close()
        await gateway.stop()
    }

    @Test func `a refusal is the publisher's to know`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway, joining: "r", at: 0)
        let waiting = Task { try await client.publish(Array("1".utf8), to: "r") }
        peer.send(.error(id: try await peer.request().id, error: RequestError(.unavailable, "later")))
        await #expect(throws: MartletClient.Failure.refused(code: "unavailable", message: "later")) {
            try await waiting.value
        }
        await client.close()
        await gateway.stop()
    }
}
