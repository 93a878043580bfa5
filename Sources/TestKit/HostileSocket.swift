import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import WebSocketFrames
import TestSupport

/// A TCP connection, with TLS over it or without, that sends what it likes and counts what comes back.
///
/// It answers no pings. All methods may be called from any thread.
package final class HostileSocket: Sendable {
    private let channel: any Channel
    private let notes: Notes

    /// Connects, which is all that it does by itself; the gateway sees it come from the address that it connects to.
    ///
    /// - Parameter tls: with it the handshake of TLS begins at once, and is not waited for.
    package static func connect(
        host: String = "127.0.0.1", port: Int, tls: NIOSSLContext? = nil
    ) async throws -> HostileSocket {
        let notes = Notes()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(NotingHandler(notes))
                }
            }
            .connect(host: host, port: port).get()
        return HostileSocket(channel: channel, notes: notes)
    }

    /// Connects and shakes hands; answers once the gateway has, whatever it says.
    package static func open(
        port: Int, path: String, headers: [(String, String)] = [], deflating: Bool = false, tls: NIOSSLContext? = nil
    ) async throws -> HostileSocket {
        let socket = try await connect(port: port, tls: tls)
        socket.send(handshake(path: path, headers: headers, deflating: deflating))
        try await eventually("an answer to the handshake") { socket.status != nil || !socket.isOpen }
        return socket
    }

    /// The request of a handshake, whole.
    package static func handshake(
        path: String, headers: [(String, String)] = [], deflating: Bool = false
    ) -> ByteBuffer {
        var text = "GET \(path) HTTP/1.1\r\n"
        if !headers.contains(where: { $0.0 == "Host" }) { text += "Host: 127.0.0.1\r\n" }
        text += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        text += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        if deflating { text += "Sec-WebSocket-Extensions: permessage-deflate\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return ByteBuffer(string: text + "\r\n")
    }

    private init(channel: any Channel, notes: Notes) {
        self.channel = channel
        self.notes = notes
    }

    deinit { channel.close(promise: nil) }

    // MARK: What it does

    package func send(_ bytes: ByteBuffer) {
        notes.state.withLock { $0.sentBytes += bytes.readableBytes }
        channel.writeAndFlush(bytes, promise: nil)
    }

    package func send(text: String) { send(HostileFrames.text(text)) }

    /// Says goodbye, so that its session ends with it, and waits for no answer.
    package func farewell() {
        send(HostileFrames.farewell)
        close()
    }

    /// Counts the bytes that come from now on, and looks into none of them.
    package func listensNoMore() { notes.state.withLock { $0.isListening = false } }

    /// Takes nothing more from the socket.
    package func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

    package func close() { channel.close(promise: nil) }

    // MARK: What came of it

    package var isOpen: Bool { notes.state.withLock { !$0.isClosed } }
    /// Of the answer to the handshake.
    package var status: Int? { notes.state.withLock { $0.status } }
    /// Of the gateway's close frame.
    package var closeCode: UInt16? { notes.state.withLock { $0.closeCode } }
    package var sentBytes: Int { notes.state.withLock { $0.sentBytes } }
    package var receivedBytes: Int { notes.state.withLock { $0.receivedBytes } }
    /// The latest text frames; those before them are counted and forgotten.
    package var texts: [String] { notes.state.withLock { $0.texts } }
    package var textCount: Int { notes.state.withLock { $0.textCount } }

    /// Waits for a text frame that holds this, come already or to come; throws where the socket is closed before.
    @discardableResult
    package func text(with part: String, within limit: Duration = .seconds(20)) async throws -> String {
        try await eventually("a frame with \(part)", within: limit) {
            !self.isOpen || self.texts.contains { $0.contains(part) }
        }
        guard let text = texts.last(where: { $0.contains(part) }) else {
            throw NeverHappened(description: "closed with \(String(describing: closeCode)) before \(part)")
        }
        return text
    }

    fileprivate final class Notes: Sendable {
        struct State: Sendable {
            var status: Int?
            var closeCode: UInt16?
            var isClosed = false
            var isListening = true
            var sentBytes = 0
            var receivedBytes = 0
            var texts: [String] = []
            var textCount = 0
        }

        let state = Mutex(State())
    }
}

/// The answer's head, then frames; belongs to its channel's loop.
private final class NotingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private static let maxTexts = 200

    private let notes: HostileSocket.Notes
    private var head = ByteBuffer()
    private var decoder: FrameDecoder?

    init(_ notes: HostileSocket.Notes) {
        self.notes = notes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        let isListening = notes.state.withLock { state in
            state.receivedBytes += bytes.readableBytes
            return state.isListening
        }
        guard isListening else { return }
        if decoder == nil {
            head.writeBuffer(&bytes)
            let text = String(buffer: head)
            guard let end = text.range(of: "\r\n\r\n") else { return }
            let status = Int(text.dropFirst(9).prefix(3))
            notes.state.withLock { $0.status = status }
            let isDeflating = text.lowercased().contains("sec-websocket-extensions: permessage-deflate")
            decoder = FrameDecoder(role: .client, maxMessageBytes: 1 << 26, takesCompressed: isDeflating)
            head.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
            bytes = head
            // The body of a refusal is no frames.
            guard status == 101 else { return }
        }
        while let event = decoder?.next(from: &bytes) { record(event) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        notes.state.withLock { $0.isClosed = true }
        context.fireChannelInactive()
    }

    /// A reset by the gateway is an end like another.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func record(_ event: FrameDecoder.Event) {
        notes.state.withLock { state in
            switch event {
            case .text(let bytes):
                state.textCount += 1
                state.texts.append(String(buffer: bytes))
                if state.texts.count > NotingHandler.maxTexts { state.texts.removeFirst() }
            case .close(let code, _): state.closeCode = code
            case .binary, .ping, .pong, .failed: break
            }
        }
    }
}
