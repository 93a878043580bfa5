import GatewayCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// Takes the one request of a fresh connection and either leaves the pipeline to a WebSocket or answers and ends it.
///
/// It belongs to its channel's event loop.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler, Supervised {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    /// The treatment of a connection, decided before its request is looked at.
    enum Fate {
        case judged
        /// The peer is trusted to say whose it is.
        case proxied
        case refused(HandshakeVerdict.Reply)
    }

    private enum Phase {
        case waiting
        /// The head was good; its end is all that lacks.
        case upgrading(HandshakeVerdict.Upgrade)
        /// A backend's call, whose body is coming.
        case receiving(CallInProgress)
        /// The same, which is being answered.
        case calling
        /// The same, though its client is gone: it counts until it is answered.
        case abandoned
        /// The answer is on its way: what comes is thrown away until the client ends, or is cut.
        case answered
        /// The socket is another handler's.
        case upgraded
        case closed
    }

    private let hub: Hub
    private let rules: HandshakeRules
    /// The handler before this one, which leaves the pipeline with it.
    private let parser: ByteToMessageHandler<HTTPRequestDecoder>
    private let fate: Fate
    private var slot: Slot
    private var phase = Phase.waiting
    private let began: MonotonicTime
    private var deadline: MonotonicTime
    private var context: ChannelHandlerContext?
    /// Of a call's body.
    private var heldBytes = 0
    /// Of a call that is being answered.
    private var calling: Task<Void, Never>?
    var supervisedIndex: Int?

    init(hub: Hub, rules: HandshakeRules, parser: ByteToMessageHandler<HTTPRequestDecoder>, slot: Slot, fate: Fate) {
        self.hub = hub
        self.rules = rules
        self.parser = parser
        self.slot = slot
        self.fate = fate
        began = hub.now
        deadline = began + hub.configuration.handshakeTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        hub.supervise(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end()
    }

    func channelActive(context: ChannelHandlerContext) {
        // Whoever is refused whatever it asks need not ask first.
        if case .refused(let reply) = fate { answer(reply, context) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        // Apart, since a phase that is bound to a name would be a second holder of the body, and each part copy it.
        if case .body(let part) = part, isReceiving { return receive(part, context) }
        switch (part, phase) {
        case (.head(let head), .waiting): judge(head, context)
        case (.end, .upgrading(let upgrade)): perform(upgrade, context)
        case (.end, .receiving(let call)): perform(call, context)
        case (.head, _), (.body, _), (.end, _): break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is GiveWay else { return context.fireUserInboundEventTriggered(event) }
        if case .waiting = phase { hub.refused(.strangers) }
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Half a request at the end of the connection is an error too, with nobody left to tell.
        guard case .waiting = phase, context.channel.isActive, let error = error as? HTTPParserError else {
            if case .waiting = phase, error is NIOSSLError { hub.refused(.tls, from: slot.address) }
            return context.close(promise: nil)
        }
        answer(error == .headerOverflow ? .headersTooLong : .unreadable, context)
    }

    /// Cuts a client that has not sent its request, or not taken the answer, in time.
    func check(now: MonotonicTime, wallMilliseconds: Int64) {
        guard deadline <= now, let context else { return }
        if case .waiting = phase { hub.refused(.timeout) }
        context.close(promise: nil)
    }

    func cut() {
        context?.close(promise: nil)
    }

    private func judge(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        switch rules.judge(head) {
        case .reply(let reply):
            answer(reply, context)
        case .upgrade(let upgrade):
            if case .proxied = fate, let refusal = nameClient(head) { return answer(refusal, context) }
            if let refusal = hub.census.enter(slot.address, isResuming: upgrade.isResuming, now: hub.now) {
                return answer(.unavailable(SocketMetrics.Refusal(refusal)), context)
            }
            phase = .upgrading(upgrade)
        case .call(let call):
            if case .proxied = fate, let refusal = nameClient(head) { return answer(refusal, context) }
            begin(call, context)
        }
    }

    /// Counts the connection where the proxy says it is from; the answer where it is not to come in.
    private func nameClient(_ head: HTTPRequestHead) -> HandshakeVerdict.Reply? {
        guard let peer = slot.address else { return nil }
        let client = ForwardedFor.client(
            peer: peer, headers: head.headers["x-forwarded-for"], trusted: hub.configuration.trustedProxies)
        guard client != peer else { return nil }
        guard hub.census.name(client, isProxy: hub.configuration.trusts(client), &slot) else {
            return .tooManyOfAddress
        }
        return hub.isBanned(client) ? .banned : nil
    }

    // MARK: Calls

    private func begin(_ call: CallInProgress, _ context: ChannelHandlerContext) {
        // Whoever signs with an app's secret is nobody's stranger.
        hub.census.vouch(for: &slot)
        deadline = hub.now + hub.configuration.callTimeout
        guard hold(Hub.leastCallBytes) else { return refuse(.tooManyCalls, context) }
        phase = .receiving(call)
        guard call.expectsContinue, call.maxBodyBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    private var isReceiving: Bool { if case .receiving = phase { true } else { false } }

    private func receive(_ part: ByteBuffer, _ context: ChannelHandlerContext) {
        guard case .receiving(var call) = phase else { return }
        // So that the body has one holder, which appends in place.
        phase = .calling
        guard call.receive(part) else { return refuse(.callTooLarge, context) }
        guard hold(part.readableBytes) else { return refuse(.tooManyCalls, context) }
        phase = .receiving(call)
    }

    private func hold(_ bytes: Int) -> Bool {
        guard hub.holdCall(bytes) else { return false }
        heldBytes += bytes
        return true
    }

    private func refuse(_ reply: HandshakeVerdict.Reply, _ context: ChannelHandlerContext) {
        release()
        answer(reply, context)
    }

    private func release() {
        hub.releaseCall(heldBytes)
        heldBytes = 0
    }

    private func perform(_ call: CallInProgress, _ context: ChannelHandlerContext) {
        phase = .calling
        deadline = hub.now + hub.configuration.callTimeout
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        // It ends by itself, with an answer: the log and the directories give one within their own times. What goes on for long
        // ends early where nobody waits for it any more.
        calling = Task { [loop = context.eventLoop] in
            let answer = await call.answer(call.body)
            loop.execute { handler.value.give(answer, isHead: call.isHead) }
        }
    }

    private func give(_ answer: CallAnswer, isHead: Bool) {
        // Held until now, also where the client has gone meanwhile.
        release()
        if case .abandoned = phase { return leave() }
        guard case .calling = phase, let context else { return }
        var reply = HandshakeVerdict.Reply(answer)
        reply.withholdsBody = isHead
        self.answer(reply, context)
    }

    private func answer(_ reply: HandshakeVerdict.Reply, _ context: ChannelHandlerContext) {
        if let refusal = reply.refusal { hub.refused(refusal, from: slot.address) }
        phase = .answered
        deadline = hub.now + hub.configuration.closeTimeout
        var buffer = context.channel.allocator.buffer(capacity: 256)
        buffer.writeString("HTTP/1.1 \(reply.status.code) \(reply.status.reasonPhrase)\r\n")
        for header in reply.headers { buffer.writeString("\(header.name): \(header.value)\r\n") }
        let body = reply.bytes ?? Array("\(reply.body)\n".utf8)
        buffer.writeString("Content-Type: \(reply.contentType)\r\n")
        buffer.writeString("Content-Length: \(body.count)\r\nConnection: close\r\n\r\n")
        if !reply.withholdsBody { buffer.writeBytes(body) }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        // Closing at once would reset the connection where bytes lie unread, and the answer could be lost with it.
        context.close(mode: .output, promise: nil)
    }

    /// Answers 101, puts the WebSocket's handler in this one's place and takes the HTTP parser out.
    private func perform(_ upgrade: HandshakeVerdict.Upgrade, _ context: ChannelHandlerContext) {
        // With room for the welcome, which leaves with it where that is soon there.
        var buffer = context.channel.allocator.buffer(capacity: 1024)
        buffer.writeStaticString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        buffer.writeStaticString("Sec-WebSocket-Accept: ")
        buffer.writeString(upgrade.acceptKey)
        buffer.writeStaticString("\r\n")
        if let subprotocol = upgrade.subprotocol { buffer.writeString("Sec-WebSocket-Protocol: \(subprotocol)\r\n") }
        if let deflate = upgrade.deflate { buffer.writeString("Sec-WebSocket-Extensions: \(deflate.response)\r\n") }
        buffer.writeStaticString("\r\n")
        phase = .upgraded
        switch upgrade.target {
        case .session(let credentials, let session, let passed):
            let handler = SocketHandler(
                hub: hub, slot: slot, answer: buffer, isCompressing: upgrade.deflate != nil, began: began)
            giveWay(to: handler, context)
            if upgrade.isForging { hub.metrics.count(.forged) }
            handler.begin(with: credentials, session: session, passed: passed)
        case .visit(let app, let refusal):
            let handler = SocketHandler(
                hub: hub, slot: slot, answer: buffer, isCompressing: false, began: began, app: app)
            giveWay(to: handler, context)
            handler.visit(app, refusal)
        case .echo:
            // Where nobody has to say who they are, whoever asks for an echo is nobody's stranger.
            if !rules.takesTokens { hub.census.vouch(for: &slot) }
            context.write(wrapOutboundOut(buffer), promise: nil)
            giveWay(to: EchoHandler(hub: hub, slot: slot, deflate: upgrade.deflate), context)
        }
    }

    private func giveWay(to handler: some ChannelHandler, _ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(handler, position: .after(self))
            pipeline.removeHandler(context: context, promise: nil)
            // What the parser had left over reaches the new handler as it goes, with no end of a read behind it.
            pipeline.removeHandler(parser).whenComplete { [hub] _ in hub.flush() }
        } catch {
            // Only a channel that is being torn down has lost its handlers.
            context.close(promise: nil)
        }
    }

    private func end() {
        hub.unsupervise(self)
        switch phase {
        case .upgraded, .closed, .abandoned: return
        case .calling:
            phase = .abandoned
            calling?.cancel()
            return
        case .upgrading: hub.census.leave()
        case .receiving: release()
        case .waiting, .answered: break
        }
        leave()
    }

    private func leave() {
        phase = .closed
        hub.census.close(slot)
    }
}

extension SocketMetrics.Refusal {
    fileprivate init(_ refusal: Census.Refusal) {
        switch refusal {
        case .draining: self = .draining
        case .full: self = .full
        case .flooded: self = .flooded
        }
    }
}
