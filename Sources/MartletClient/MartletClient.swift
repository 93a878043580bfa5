import GatewayCore
public import NIOCore
import NIOPosix
import Synchronization

/// A connection to a Martlet gateway that mends itself.
///
/// It connects, waits and connects again for ever, with full jitter. Each room's stream goes on where it was: what was
/// missed comes first, every message once and in order, and where something is lost for good a `gap` says so. All comes
/// through `events`. Those must be read: a consumer who falls behind by `eventLimit` makes the client stop reading its
/// socket, and one that stays behind is disconnected by the gateway, but nothing is dropped silently. While a request
/// waits for its reply, reading goes on up to four times the limit, so that a consumer may make requests.
///
/// All methods may be called from any task or thread.
public final class MartletClient: Sendable {
    let configuration: Configuration
    /// The first is `url`'s.
    let endpoints: [Endpoint]
    let group: any EventLoopGroup
    let state = Mutex(ClientState())
    let buffer: EventBuffer<Event>
    let welcomed = Waiters<Result<Welcome, Failure>>()
    let stopped = Waiters<Void>()
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
        buffer = EventBuffer(limit: configuration.eventLimit)
    }

    /// What comes by itself, in order. It ends when the client does; two loops over it share the events.
    public var events: Events { Events(buffer: buffer) }

    /// Starts the client, unless it runs, and waits for the gateway's welcome, however many attempts that takes.
    ///
    /// A client started by this holds on to itself until `close()`.
    @discardableResult
    public func connect() async throws(Failure) -> Welcome {
        if state.withLock({ if case .idle = $0.phase { true } else { false } }) {
            // Whoever waits below hears of the failure, and so does everybody else.
            Task { try? await run() }
        }
        let answer = await welcomed.wait {
            state.withLock { state in
                if case .stopped(let failure) = state.phase { return .failure(failure) }
                guard state.link != nil, let welcome = state.welcome else { return nil }
                return .success(welcome)
            }
        }
        guard let answer else { throw .cancelled }
        return try answer.get()
    }

    /// Ends the client with a farewell and waits until it has ended.
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
        if !isRunning { buffer.finish() }
        socket?.close()
        wake.resumeAll(())
        return isRunning
    }

    /// The sequence of events that come by themselves.
    public struct Events: AsyncSequence, Sendable {
        let buffer: EventBuffer<Event>

        /// All iterators take from the same queue.
        public func makeAsyncIterator() -> Iterator { Iterator(buffer: buffer) }

        /// Takes one event after another.
        public struct Iterator: AsyncIteratorProtocol {
            let buffer: EventBuffer<Event>

            /// Nil at the client's end, and where the task is cancelled.
            public mutating func next() async -> Event? { await buffer.next() }
        }
    }
}
