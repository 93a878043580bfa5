import MartletClient
import Synchronization

/// Of each client the reader that it was given at first, so that no event of it is missed.
private let readers = Mutex<[ObjectIdentifier: MartletClient.Events]>([:])

/// What suites share that talk to a gateway of their own.
protocol ClientSuite {}

extension ClientSuite {
    /// One that hardly waits between its connections.
    func client(
        _ gateway: FakeGateway, as credentials: MartletClient.Credentials = .user("u"),
        _ change: (inout MartletClient.Configuration) -> Void = { _ in }
    ) throws -> MartletClient {
        var configuration = MartletClient.Configuration(url: gateway.url, credentials: credentials)
        configuration.firstDelay = .milliseconds(1)
        configuration.maxDelay = .milliseconds(2)
        change(&configuration)
        let client = try MartletClient(configuration: configuration)
        readers.withLock { $0[ObjectIdentifier(client)] = client.events }
        return client
    }

    /// Connects, and takes the first event.
    func connect(_ client: MartletClient, _ gateway: FakeGateway) async throws -> Peer {
        async let welcome = client.connect()
        let peer = try await gateway.accept()
        try await peer.welcome()
        let told = try await welcome
        guard case .connected(told) = try await next(client) else { throw Ended() }
        return peer
    }

    /// Connects and joins a room that stands at this number.
    func connect(
        _ client: MartletClient, _ gateway: FakeGateway, joining room: String, at seq: Int
    ) async throws -> Peer {
        let peer = try await connect(client, gateway)
        async let joined = client.join(room)
        try await peer.acceptJoin(of: room, at: seq)
        _ = try await joined
        return peer
    }

    func next(_ client: MartletClient) async throws -> MartletClient.Event {
        guard let reader = readers.withLock({ $0[ObjectIdentifier(client)] }) else { throw Ended() }
        var events = reader.makeAsyncIterator()
        guard let event = await events.next() else { throw Ended() }
        return event
    }

    /// Passes over whatever comes until the end.
    func end(_ client: MartletClient) async {
        while (try? await next(client)) != nil {}  // The error is the end.
    }

    /// The next message's number.
    func nextSeq(_ client: MartletClient) async throws -> Int {
        guard case .message(let message) = try await next(client) else { throw Ended() }
        return message.seq
    }

    /// Passes over the end of one connection and the beginning of another.
    func passReconnect(_ client: MartletClient) async throws {
        guard case .disconnected = try await next(client), case .connected = try await next(client) else {
            throw Ended()
        }
    }

    func position(_ epoch: String, _ seq: Int) -> MartletClient.Position {
        MartletClient.Position(epoch: epoch, seq: seq)
    }
}
