import GatewayCore
public import NIOCore
import NIOPosix
import Synchronization

/// A connection to a Martlet gateway that mends itself.
///
/// It connects, waits and connects again for ever, with full jitter. Each room's stream goes on where it was: what was
/// missed comes first, every message once and in order, and where something is lost for good a `gap` says so.
///
/// `room(_:since:)` is how a program follows a room. `events` is all that comes, of every room, for whoever wants it so.
/// What nobody reads is not kept.
///
/// All methods may be called from any task or thread.
public final class MartletClient: Sendable {
    let configuration: Configuration
    /// The first is `url`'s.
    let endpoints: [Endpoint]
    let group: any EventLoopGroup
    let state = Mutex(ClientState())
    let readers: EventReaders<Event>
    let welcomed = Waiters<Result<Welcome, Failure>>()
    let stopped = Waiters<Void>()
    /// Held rooms were joined, refused or left.
    let roomsMoved = Waiters<Void>()
    /// Wakes the run loop from its waits.
    let wake = Waiters<Void>()

    /// Of the keys under which messages are stored once; with a number behind it, unique for ever.
    let dedupePrefix: String

    /// - Throws: `invalid` where a URL is none.
    public init(
        configuration: Configuration, eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) throws(Failure) {
        let urls = [configuration.url] + configuration.otherURLs
        endpoints = urls.compactMap { Endpoint($0) }
        guard endpoints.count == urls.count else { throw .invalid("url: must be ws:// or wss:// with a host") }
        self.configuration = configuration
        dedupePrefix = String(UInt64.random(in: .min ... .max), radix: 36)
        group = eventLoopGroup
        readers = EventReaders(limit: configuration.eventLimit)
    }

    /// What comes by itself from here on, in order. It ends when the client does, at once where it has ended.
    ///
    /// Each access is a reader of its own, to be read by one loop. It must be read: one who falls behind by `eventLimit`
    /// makes the client stop reading its socket, for all, and one that stays behind has it disconnected by the gateway, but
    /// nothing is dropped. While a request waits for its reply, reading goes on up to four times the limit, so that a
    /// reader may make requests.
    public var events: Events {
        let (id, buffer) = readers.begin()
        if state.withLock({ $0.end != nil }) { buffer.finish() }
        return Events(reading: EventReading(id, buffer, of: self))
    }

    /// Starts the client, unless it runs, and waits for the gateway's welcome, however many attempts that takes. One that
    /// was closed or stopped starts again, and joins its rooms again where they were.
    ///
    /// A client started by this holds on to itself until `close()`.
    @discardableResult
    public func connect() async throws(Failure) -> Welcome {
        await stopped.wait { state.withLock { $0.isEnding ? nil : () } }
        if !Task.isCancelled, state.withLock({ $0.claim() }) {
            // Whoever waits below hears of the failure, and so does everybody else.
            Task { try? await runClaimed() }
        }
        let answer = await welcomed.wait {
            state.withLock { state in
                if let end = state.end { return .failure(end) }
                guard state.link != nil, let welcome = state.welcome else { return nil }
                return .success(welcome)
            }
        }
        guard let answer else { throw .cancelled }
        return try answer.get()
    }

    /// Leaves the present connection, or the wait for one, for another connection now; the session goes along.
    ///
    /// For a program that knows of another network, or that it was asleep. Nothing happens where the client does not run.
    public func reconnect() {
        let socket = state.withLock { state in
            state.isHurried = true
            return state.socket
        }
        socket?.drop()
        wake.resumeAll(())
    }

    /// Ends the client with a farewell and waits until it has ended; `connect()` starts it again.
    public func close() async {
        guard stop() else { return }
        _ = await stopped.wait {
            state.withLock { if case .stopped = $0.phase { () } else { nil } }
        }
    }

    /// The present connection, for tests that ill-treat it; nil between two.
    package var connection: WebSocketConnection? { state.withLock { $0.socket } }

    /// Requests that wait for their replies, messages on their way included.
    package var pendingRequests: Int { state.withLock { $0.pending.count } }

    /// Answers false where the client never ran, and so has ended with this.
    @discardableResult
    func stop() -> Bool {
        let (isRunning, socket) = state.withLock { state in
            state.isStopping = true
            guard case .idle = state.phase else { return (true, state.socket) }
            state.phase = .stopped(.closed)
            return (false, nil)
        }
        if !isRunning { finishReaders() }
        socket?.close()
        wake.resumeAll(())
        return isRunning
    }

    /// Ends whatever is being read.
    func finishReaders() {
        readers.finish()
        for wish in state.withLock({ Array($0.wishes.values) }) { wish.finish() }
        roomsMoved.resumeAll(())
    }

    /// The sequence of events that come by themselves.
    public struct Events: AsyncSequence, Sendable {
        let reading: EventReading

        /// Loops over the same sequence share what comes.
        public func makeAsyncIterator() -> Iterator { Iterator(reading: reading) }

        /// Takes one event after another.
        public struct Iterator: AsyncIteratorProtocol {
            let reading: EventReading

            /// Nil at the client's end, and where the task is cancelled.
            public mutating func next() async -> Event? { await reading.buffer.next() }
        }
    }
}

/// One reader of a client's events, until nobody holds it.
final class EventReading: Sendable {
    let buffer: EventBuffer<MartletClient.Event>
    private let id: Int
    private let readers: EventReaders<MartletClient.Event>
    private let goOn: @Sendable () -> Void

    init(_ id: Int, _ buffer: EventBuffer<MartletClient.Event>, of client: MartletClient) {
        self.id = id
        self.buffer = buffer
        readers = client.readers
        // Not the client, which whoever reads need not keep alive.
        goOn = { [weak client] in client?.goOnReading() }
    }

    deinit {
        readers.end(id)
        goOn()
    }
}
