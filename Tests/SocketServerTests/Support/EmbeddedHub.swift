import GatewayCore
import Logging
import Metrics
import NIOCore
import NIOEmbedded
import SocketServer
import Synchronization
import Testing
import WebSocketFrames

/// One hub on a loop that turns when it is told to, with clocks that stand still until they are moved.
final class EmbeddedHub {
    let loop = EmbeddedEventLoop()
    let backend = InMemoryBackend()
    let hub: Hub
    let dependencies: HubDependencies
    private let clock = ManualClock()

    private final class ManualClock: Sendable {
        let nanoseconds = Mutex<Int64>(1)
    }

    init(
        metrics: any MetricsFactory = NOOPMetricsHandler.instance, tally: (any SpendingTally)? = nil,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        memory: MemoryAccount = MemoryAccount(budget: .max),
        _ configure: (inout SocketServerConfiguration) -> Void = { _ in }
    ) {
        var configuration = SocketServerConfiguration()
        configuration.nodeId = "n1"
        configure(&configuration)
        let clock = clock
        dependencies = HubDependencies(
            configuration: configuration, streams: backend, log: backend, presence: backend,
            presenceDirectory: backend, governor: backend, metrics: metrics, logger: logger,
            clocks: Clocks(
                monotonic: { MonotonicTime(nanoseconds: clock.nanoseconds.withLock { $0 }) },
                wall: { clock.nanoseconds.withLock { $0 } / 1_000_000 }), tally: tally,
            memory: memory, probe: .clogs)
        hub = Hub(eventLoop: loop, dependencies: dependencies)
        hub.start()
    }

    deinit {
        hub.stop()
    }

    var now: MonotonicTime { MonotonicTime(nanoseconds: clock.nanoseconds.withLock { $0 }) }

    /// Lets time pass in steps shorter than any tick, so that the clocks and the loop agree.
    func advance(_ duration: Duration) {
        var left = duration
        while left > .zero {
            let step = min(left, .milliseconds(20))
            clock.nanoseconds.withLock { $0 += step.nanoseconds }
            loop.advanceTime(by: .nanoseconds(step.nanoseconds))
            left -= step
        }
    }

    /// A fresh connection that has sent nothing.
    func accept(from peer: String = "127.0.0.1") throws -> EmbeddedSocket {
        let channel = EmbeddedChannel(loop: loop)
        let address = try SocketAddress(ipAddress: peer, port: 1)
        channel.remoteAddress = address
        try hub.accept(channel)
        channel.connect(to: address, promise: nil)
        return EmbeddedSocket(channel: channel)
    }

    /// A connection that has sent this request; what it was answered is taken, nothing where it was not.
    func ask(
        _ target: String = "/ws?userId=a", headers: [(String, String)] = [], from peer: String = "127.0.0.1"
    ) throws -> (socket: EmbeddedSocket, head: String) {
        let socket = try accept(from: peer)
        try socket.send(ByteBuffer(string: TestClient.request(target, headers: headers)))
        return (socket, socket.takeHead() ?? "")
    }

    /// A connection past its handshake; its answer, which waits for the first frame but no longer than a tick, is taken.
    func upgrade(_ target: String, from peer: String = "127.0.0.1") throws -> EmbeddedSocket {
        let socket = try accept(from: peer)
        try socket.channel.writeInbound(ByteBuffer(string: TestClient.request(target)))
        loop.run()
        var head = socket.takeHead()
        if head == nil {
            advance(.milliseconds(500))
            head = socket.takeHead()
        }
        let answer = try #require(head)
        try #require(answer.hasPrefix("HTTP/1.1 101 "))
        return socket
    }

    /// A connection past `welcome`, which is taken.
    func enter(_ user: String = "alice", from peer: String = "127.0.0.1") throws -> EmbeddedSocket {
        let socket = try upgrade("/ws?userId=\(user)", from: peer)
        try #require(try socket.take().first?.contains(#""type":"welcome""#) == true)
        return socket
    }

    /// Stores a message and lets the loop turn.
    func publish(_ room: String, _ payload: String = "1") {
        backend.publish(
            Publication(room: RoomName(unchecked: room), userId: .system, payload: Array(payload.utf8))
        ) { _ in }
        loop.run()
    }
}

/// The client's side of an embedded connection.
final class EmbeddedSocket {
    let channel: EmbeddedChannel
    private var sent = ByteBuffer()
    private var decoder = FrameDecoder(role: .client, maxMessageBytes: 64 << 20)

    /// From here on messages may come compressed.
    func takeCompressed() {
        decoder = FrameDecoder(role: .client, maxMessageBytes: 64 << 20, takesCompressed: true)
    }

    init(channel: EmbeddedChannel) {
        self.channel = channel
    }

    private func fill() {
        while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { sent.writeImmutableBuffer(bytes) }
    }

    func takeHead() -> String? {
        fill()
        let text = String(buffer: sent)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        sent.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
        return String(text[..<end.upperBound])
    }

    func send(_ text: String) throws {
        var frame = ByteBuffer()
        FrameEncoder.text(text, mask: 7, into: &frame)
        try send(frame)
    }

    func send(_ bytes: ByteBuffer) throws {
        try channel.writeInbound(bytes)
        channel.embeddedEventLoop.run()
    }

    func pong() throws {
        var frame = ByteBuffer()
        FrameEncoder.pong(mask: 7, into: &frame)
        try send(frame)
    }

    /// What has come and was not read, as it came.
    func takeBytes() -> ByteBuffer {
        fill()
        defer { sent = ByteBuffer() }
        return sent
    }

    func events() -> [FrameDecoder.Event] {
        fill()
        var events: [FrameDecoder.Event] = []
        while let event = decoder.next(from: &sent) { events.append(event) }
        return events
    }

    /// The same without the gateway's pings.
    func takeReplies() throws -> [String] {
        try take().filter { $0 != "ping" }
    }

    /// The text frames that have come, and `ping`, `pong`, `close <code>`.
    func take() throws -> [String] {
        events().map { event in
            switch event {
            case .text(let text): String(buffer: text)
            case .binary: "binary"
            case .ping: "ping"
            case .pong: "pong"
            case .close(let code, _): "close \(code ?? 0)"
            case .failed(let error): "failed \(error)"
            }
        }
    }

    /// Of the messages among them, room and seq: `r 3`.
    func takeMessages() throws -> [String] {
        try take().compactMap { text in
            guard text.hasPrefix(#"{"type":"message""#), let seq = text.firstMatch(of: /"seq":(\d+)/)?.1,
                let room = text.firstMatch(of: /"roomId":"([^"]*)"/)?.1
            else { return nil }
            return "\(room) \(seq)"
        }
    }
}
