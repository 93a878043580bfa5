import Crypto
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A backend that takes webhooks, as well or badly as a test wants.
package final class HookServer: Sendable {
    package struct Request: Sendable {
        package let body: [UInt8]
        /// The value of `Martlet-Signature`.
        package let signature: String?
        /// The value of `Authorization`.
        package let authorization: String?
        /// The value of `Host`.
        package let host: String?
        package let path: String
        package let headers: [String: String]
        /// The value of `traceparent`.
        package let traceparent: String?
        /// What the server answered.
        package let reply: Reply

        /// Whether the signature is one that this secret makes, as the page of webhooks says.
        package func isSigned(by secret: String) -> Bool {
            let parts = signature?.split(separator: ",") ?? []
            guard parts.count == 2, parts[0].hasPrefix("t="), parts[1].hasPrefix("v1=") else { return false }
            let key = SymmetricKey(data: Data(secret.utf8))
            let message = Data("\(parts[0].dropFirst(2)).".utf8) + Data(body)
            let code = HMAC<SHA256>.authenticationCode(for: message, using: key)
            return code.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                == parts[1].dropFirst(3)
        }

        package var text: String { String(decoding: body, as: UTF8.self) }

        /// A field of the body, which is an object.
        package func field(_ name: String) -> String? {
            let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
            return object?[name] as? String
        }

        /// The events in the body; none where it is not what it should be.
        package var events: [Event] {
            (try? JSONDecoder().decode(Body.self, from: Data(body)))?.events ?? []
        }
    }

    package struct Event: Hashable, Sendable, Decodable {
        package let id: String
        package let type: String
        package let userId: String?
        package let roomId: String?
        package let cause: String?
        package let count: Int?
        package let timestamp: Int64
        package let traceparent: String?
    }

    private struct Body: Decodable {
        let events: [Event]
    }

    package enum Reply: Hashable, Sendable {
        case status(Int)
        /// 200 with this text.
        case text(String)
        /// The same after a while.
        case lateText(String, Duration)
        /// 200 after a while.
        case late(Duration)
        case redirect(String)
        /// 200, then a close in the middle of the body that it promised.
        case broken
        /// 200, then a byte of its body after each of these, without an end.
        case drip(Duration)
        /// Closes with a reset, without an answer.
        case reset
        case never
    }

    private struct State {
        var requests: [Request] = []
        var underWay = 0
        var mostUnderWay = 0
        var connections = 0
        var open: [ObjectIdentifier: any Channel] = [:]
    }

    /// The certificate that new connections are shown; nil speaks plain HTTP.
    private final class Certificate: Sendable {
        let context: Mutex<NIOSSLContext?>

        init(_ context: NIOSSLContext?) {
            self.context = Mutex(context)
        }
    }

    private let channel: any Channel
    private let state = Mutex(State())
    private let certificate: Certificate
    private let plan: @Sendable (_ number: Int, _ body: [UInt8]) -> Reply

    package let port: Int

    /// Listens on 127.0.0.1, on any free port or the one given; `plan` is asked for each request, counted from 0.
    package static func start(
        host: String = "127.0.0.1", port: Int = 0, tls: NIOSSLContext? = nil,
        plan: @escaping @Sendable (_ number: Int, _ body: [UInt8]) -> Reply = { _, _ in .status(200) }
    ) async throws -> HookServer {
        let box = Mutex<HookServer?>(nil)
        let certificate = Certificate(tls)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                box.withLock { $0 }?.opened(channel)
                return channel.eventLoop.makeCompletedFuture {
                    if let context = certificate.context.withLock({ $0 }) {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(server: { box.withLock { $0 } }))
                }
            }
            .bind(host: host, port: port).get()
        let server = HookServer(channel: channel, certificate: certificate, plan: plan)
        box.withLock { $0 = server }
        return server
    }

    private init(
        channel: any Channel, certificate: Certificate, plan: @escaping @Sendable (Int, [UInt8]) -> Reply
    ) {
        self.channel = channel
        self.certificate = certificate
        self.plan = plan
        port = channel.localAddress?.port ?? 0
    }

    deinit {
        channel.close(promise: nil)
    }

    package var url: String { "http://127.0.0.1:\(port)/hooks" }

    /// Connections from now on are shown this certificate.
    package func show(_ tls: NIOSSLContext) {
        certificate.context.withLock { $0 = tls }
    }

    package var requests: [Request] { state.withLock { $0.requests } }

    /// All events that came in requests answered with 200, in the order of the answers, repeats included.
    package var events: [Event] {
        requests.flatMap { request -> [Event] in
            switch request.reply {
            case .status(200), .late, .broken, .drip: return request.events
            case .status, .text, .lateText, .redirect, .reset, .never: return []
            }
        }
    }

    /// The greatest number of requests that waited for their answer at once.
    package var mostUnderWay: Int { state.withLock { $0.mostUnderWay } }

    /// How many were opened so far, with or without a request.
    package var connections: Int { state.withLock { $0.connections } }

    package func stop() async throws {
        try await channel.close()
    }

    private func opened(_ channel: any Channel) {
        state.withLock { state in
            state.connections += 1
            state.open[ObjectIdentifier(channel)] = channel
        }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.state.withLock { $0.open[ObjectIdentifier(channel)] = nil }
        }
    }

    /// Ends those that are open.
    package func closeConnections() {
        for channel in state.withLock({ Array($0.open.values) }) { channel.close(promise: nil) }
    }

    fileprivate func began(_ body: [UInt8], _ path: String, _ headers: HTTPHeaders) -> Reply {
        let number = state.withLock { state in
            state.underWay += 1
            state.mostUnderWay = max(state.mostUnderWay, state.underWay)
            return state.requests.count
        }
        let reply = plan(number, body)
        let request = Request(
            body: body, signature: headers.first(name: "Martlet-Signature"),
            authorization: headers.first(name: "Authorization"), host: headers.first(name: "Host"),
            path: path, headers: Dictionary(headers.map { ($0.name, $0.value) }) { $1 },
            traceparent: headers.first(name: "traceparent"), reply: reply)
        state.withLock { $0.requests.append(request) }
        return reply
    }

    fileprivate func ended() {
        state.withLock { $0.underWay -= 1 }
    }
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: () -> HookServer?
    private var body: [UInt8] = []
    private var headers: HTTPHeaders = [:]
    private var path = ""
    private var isUnderWay = false

    init(server: @escaping () -> HookServer?) {
        self.server = server
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            body = []
            headers = head.headers
            path = head.uri
        case .body(let part):
            body += part.readableBytesView
        case .end:
            guard let reply = server()?.began(body, path, headers) else { return context.close(promise: nil) }
            isUnderWay = true
            answer(reply, context)
        }
    }

    private func answer(_ reply: HookServer.Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .status(let status):
            respond(HTTPResponseStatus(statusCode: status), [:], context)
        case .text(let text):
            respond(.ok, [:], context, text)
        case .lateText(let text, let delay):
            context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
                self.respond(.ok, [:], context, text)
            }
        case .late(let delay):
            context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
                self.respond(.ok, [:], context)
            }
        case .redirect(let location):
            respond(.found, ["Location": location], context)
        case .broken:
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "10"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "ok"))))).assumeIsolated()
                .whenComplete { _ in context.close(promise: nil) }
        case .drip(let pause):
            context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok))), promise: nil)
            drip(pause, context)
        case .reset:
            if let options = context.channel as? any SocketOptionProvider {
                options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).assumeIsolated().whenComplete { _ in
                    context.close(promise: nil)
                }
            }
        case .never:
            break
        }
    }

    private func drip(_ pause: Duration, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: " ")))), promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) { self.drip(pause, context) }
    }

    private func respond(
        _ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ context: ChannelHandlerContext, _ text: String = ""
    ) {
        var headers = headers
        headers.add(name: "Content-Length", value: "\(text.utf8.count)")
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        if !text.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        ended()
    }

    private func ended() {
        if isUnderWay { server()?.ended() }
        isUnderWay = false
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
