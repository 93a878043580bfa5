import Dialects
import GatewayCore
import MartletClient
import NIOCore
import NIOPosix
import NIOSSL
import WebSocketFrames

/// A listener on loopback that plays the gateway's part as the test tells it to.
final class FakeGateway: Sendable {
    private let channel: any Channel
    private let peers: EventBuffer<Peer>

    var port: Int { channel.localAddress?.port ?? 0 }
    var url: String { "ws://127.0.0.1:\(port)/ws" }

    private init(channel: any Channel, peers: EventBuffer<Peer>) {
        self.channel = channel
        self.peers = peers
    }

    /// - Parameters:
    ///   - response: the answer to the handshake, where `%ACCEPT%` stands for the right key; the right one unless told.
    ///   - trailer: bytes that go out in one write with it.
    ///   - tls: nil is plain TCP.
    static func start(
        response: String = FakeGateway.upgrade, trailer: [UInt8] = [], tls: NIOSSLContext? = nil
    ) async throws -> FakeGateway {
        let peers = EventBuffer<Peer>(limit: 100)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let peer = Peer(channel)
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(
                        PeerHandler(response: response, trailer: trailer, events: peer.events) {
                            _ = peers.append(peer)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeGateway(channel: channel, peers: peers)
    }

    static let upgrade =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %ACCEPT%\r\n\r\n"

    /// The next client that has sent its handshake.
    func accept() async throws -> Peer {
        guard let peer = await peers.next() else { throw Ended() }
        return peer
    }

    func stop() async {
        channel.close(promise: nil)
        try? await channel.closeFuture.get()
    }
}

struct Ended: Error {}

/// One client, as the gateway sees it.
final class Peer: Sendable {
    enum Event: Sendable {
        case handshake(String)
        case frame(FrameDecoder.Event)
        case ended
    }

    private let channel: any Channel
    let events = EventBuffer<Event>(limit: 10_000)

    init(_ channel: any Channel) {
        self.channel = channel
    }

    func handshake() async throws -> String {
        guard case .handshake(let text) = await events.next() else { throw Ended() }
        return text
    }

    func frame() async throws -> FrameDecoder.Event {
        guard case .frame(let event) = await events.next() else { throw Ended() }
        return event
    }

    /// The next request, with its mark for the reply.
    func request() async throws -> ClientRequest {
        guard case .text(let text) = try await frame() else { throw Ended() }
        return try Peer.request(text)
    }

    static func request(_ text: ByteBuffer) throws -> ClientRequest {
        try text.withUnsafeReadableBytes { try NativeDialect().decode($0).get() }
    }

    /// Passes over the handshake, which it answers, and greets.
    @discardableResult
    func welcome(
        heartbeat: Int = 30_000, session: String = "s1", resumed: Bool = false, timestamp: Int64 = 1,
        inbox: Position = Position(epoch: "e", seq: 0), everyone: Position = Position(epoch: "e", seq: 7)
    ) async throws -> String {
        let asked = try await handshake()
        greet(
            heartbeat: heartbeat, session: session, resumed: resumed, timestamp: timestamp, inbox: inbox,
            everyone: everyone)
        return asked
    }

    func greet(
        heartbeat: Int = 30_000, session: String = "s1", resumed: Bool = false, timestamp: Int64 = 1,
        inbox: Position = Position(epoch: "e", seq: 0), everyone: Position = Position(epoch: "e", seq: 7)
    ) {
        send(
            .welcome(
                Welcome(
                    connectionId: "c1", nodeId: "n1", userId: UserID(unchecked: "u"), session: session,
                    resumed: resumed, heartbeat: heartbeat, timestamp: timestamp,
                    positions: [(RoomName(unchecked: "@u"), inbox), (.everyone, everyone)])))
    }

    /// Answers a join that must come next; answers what it was asked with.
    @discardableResult
    func acceptJoin(of room: String, at seq: Int, recovered: Bool = true, epoch: String = "e") async throws
        -> ClientPosition?
    {
        let request = try await request()
        guard case .join(let name, let since) = request.command, name.string == room else { throw Ended() }
        send(
            .joined(
                id: request.id,
                Joined(
                    room: name, position: Position(epoch: epoch, seq: seq), recovered: recovered,
                    roster: RosterState(members: 2, version: 9, timestamp: 0))))
        return since
    }

    /// Answers a `resume` that must come next with these rooms; answers what it was asked with.
    @discardableResult
    func acceptResume(_ rooms: [ResumedRoom]) async throws -> [String: ClientPosition] {
        let request = try await request()
        guard case .resume(let since) = request.command else { throw Ended() }
        send(.resumed(id: request.id, rooms: rooms))
        return Dictionary(uniqueKeysWithValues: since.map { ($0.key.string, $0.value) })
    }

    /// The same to a guest.
    func welcomeGuest(everyone: Position = Position(epoch: "e", seq: 7)) async throws -> String {
        let asked = try await handshake()
        send(
            .welcome(
                Welcome(
                    connectionId: "c1", nodeId: "n1", userId: nil, session: "", resumed: false, heartbeat: 30_000,
                    timestamp: 1, positions: [(.everyone, everyone)])))
        return asked
    }

    func send(_ event: ServerEvent) {
        var text: [UInt8] = []
        NativeDialect().encode(event, into: &text)
        write { FrameEncoder.text(text, into: &$0) }
    }

    /// A frame that is written here as it stands.
    func text(_ text: String) { write { FrameEncoder.text(Array(text.utf8), into: &$0) } }

    func message(_ payload: String, in room: String = "r", seq: Int) {
        send(
            .message(
                RoomMessage(
                    room: RoomName(unchecked: room), userId: UserID(unchecked: "v"), msgType: 1,
                    payload: Array(payload.utf8), timestamp: 5, position: Position(epoch: "", seq: seq))))
    }

    func ping(_ text: String) { write { FrameEncoder.ping(ByteBuffer(string: text), into: &$0) } }

    func close(_ code: UInt16, _ reason: String = "") {
        write { FrameEncoder.close(code: code, reason: reason, into: &$0) }
    }

    func send(raw: [UInt8]) { write { $0.writeBytes(raw) } }

    func drop() { channel.close(promise: nil) }

    private func write(_ encode: (inout ByteBuffer) -> Void) {
        var bytes = ByteBuffer()
        encode(&bytes)
        channel.writeAndFlush(bytes, promise: nil)
    }
}

/// The handshake by hand, then frames.
private final class PeerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let response: String
    private let trailer: [UInt8]
    private let events: EventBuffer<Peer.Event>
    private let isAsked: () -> Void
    private var head = ""
    private var decoder: FrameDecoder?

    init(response: String, trailer: [UInt8], events: EventBuffer<Peer.Event>, isAsked: @escaping () -> Void) {
        self.response = response
        self.trailer = trailer
        self.events = events
        self.isAsked = isAsked
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard decoder != nil else {
            head += bytes.readString(length: bytes.readableBytes) ?? ""
            if head.hasSuffix("\r\n\r\n") { answer(context) }
            return
        }
        while let event = decoder?.next(from: &bytes) {
            _ = events.append(.frame(event))
            if case .close(let code, _) = event {
                var frame = ByteBuffer()
                FrameEncoder.close(code: code, into: &frame)
                context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
                context.close(promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        _ = events.append(.ended)
        events.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ context: ChannelHandlerContext) {
        decoder = FrameDecoder(role: .server, maxMessageBytes: 1 << 20)
        let name = "Sec-WebSocket-Key: "
        let key = head.split(separator: "\r\n").first { $0.hasPrefix(name) }?.dropFirst(name.count) ?? ""
        let parts = response.split(separator: "%ACCEPT%", omittingEmptySubsequences: false)
        var bytes = ByteBuffer(string: parts.joined(separator: Handshake.acceptKey(for: String(key))))
        bytes.writeBytes(trailer)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        _ = events.append(.handshake(head))
        isAsked()
    }
}
