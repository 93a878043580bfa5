import Foundation
import NIOCore
import NIOPosix
import WebSocketFrames

/// A raw TCP client that can speak HTTP and WebSocket, well or badly; used by one task.
final class TestClient {
    struct Ended: Error {}

    let channel: any Channel
    private var incoming: AsyncStream<ByteBuffer>.Iterator
    private(set) var buffer = ByteBuffer()
    private var decoder = FrameDecoder(role: .client, maxMessageBytes: 64 << 20)

    private init(channel: any Channel, incoming: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.incoming = incoming.makeAsyncIterator()
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let stream: AsyncStream<ByteBuffer>.Continuation

        init(_ stream: AsyncStream<ByteBuffer>.Continuation) {
            self.stream = stream
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            stream.yield(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) {
            stream.finish()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    /// - Parameter isReading: whether the client takes what it is sent at all.
    static func connect(port: Int, isReading: Bool = true) async throws -> TestClient {
        let (stream, continuation) = AsyncStream<ByteBuffer>.makeStream()
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation))
                }
            }
        if !isReading {
            bootstrap = bootstrap.channelOption(.autoRead, value: false)
                .channelOption(.socketOption(.so_rcvbuf), value: 4096)
        }
        let channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
        return TestClient(channel: channel, incoming: stream)
    }

    // MARK: Bytes

    func send(_ buffer: ByteBuffer) async throws {
        try await channel.writeAndFlush(buffer)
    }

    func send(raw text: String) async throws {
        try await send(ByteBuffer(string: text))
    }

    /// Waits for more bytes; false at the end.
    func fill() async -> Bool {
        guard let more = await incoming.next() else { return false }
        buffer.writeImmutableBuffer(more)
        return true
    }

    /// Up to the empty line behind the headers.
    func head() async throws -> String {
        while true {
            let text = String(buffer: buffer)
            if let end = text.range(of: "\r\n\r\n") {
                buffer.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
                return String(text[..<end.upperBound])
            }
            guard await fill() else { throw Ended() }
        }
    }

    /// All up to the end of the connection.
    func rest() async -> String {
        String(decoding: await restOfBytes(), as: UTF8.self)
    }

    func restOfBytes() async -> [UInt8] {
        while await fill() {}
        return Array(buffer.readableBytesView)
    }

    // MARK: WebSocket

    static func request(_ target: String, headers: [(String, String)] = []) -> String {
        var lines = [
            "GET \(target) HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        lines += headers.map { "\($0.0): \($0.1)" }
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// Sends the handshake and takes its answer, whatever it is.
    @discardableResult
    func upgrade(_ target: String, headers: [(String, String)] = []) async throws -> String {
        try await send(raw: TestClient.request(target, headers: headers))
        return try await head()
    }

    /// From here on messages may come compressed.
    func takeCompressed() {
        decoder = FrameDecoder(role: .client, maxMessageBytes: 64 << 20, takesCompressed: true)
    }

    func send(_ text: String) async throws {
        var frame = ByteBuffer()
        FrameEncoder.text(text, mask: 0x1234_5678, into: &frame)
        try await send(frame)
    }

    /// The next event; nil at the end of the connection.
    func event() async -> FrameDecoder.Event? {
        while true {
            if let event = decoder.next(from: &buffer) { return event }
            guard await fill() else { return nil }
        }
    }

    /// The next text frame, past pings and pongs.
    func text() async throws -> String {
        while let event = await event() {
            switch event {
            case .text(let bytes): return String(buffer: bytes)
            case .ping, .pong: continue
            case .binary, .close, .failed: throw Unexpected(event: event)
            }
        }
        throw Ended()
    }

    struct Unexpected: Error {
        let event: FrameDecoder.Event
    }

    /// The next text frame that contains this, past all others.
    func text(containing part: String) async throws -> String {
        while true {
            let text = try await text()
            if text.contains(part) { return text }
        }
    }

    /// Sends a request and takes the next text frame.
    func ask(_ text: String) async throws -> String {
        try await send(text)
        return try await self.text()
    }

    /// The close frame, past all that comes before; nil where the connection ended without one.
    func closing() async -> (code: UInt16?, reason: String)? {
        while let event = await event() {
            if case .close(let code, let reason) = event { return (code, reason) }
        }
        return nil
    }

    func closeCode() async -> UInt16? { await closing()?.code }

    /// Whether the connection ends, whatever comes before.
    func ends() async {
        while await fill() { buffer.clear() }
    }
}
