import Dialects
import GatewayCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// Stands between the parser and whatever answers requests, and does what ``HTTPConnectionRules`` and
/// ``RequestHeadRules`` say: what they refuse reaches nobody, and what comes before its turn waits here, while no more is
/// read from the client.
///
/// It belongs to its channel's event loop.
package final class HTTPConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPServerRequestPart
    package typealias InboundOut = HTTPServerRequestPart
    package typealias OutboundIn = HTTPServerResponsePart
    package typealias OutboundOut = HTTPServerResponsePart

    /// An event against the stream: somebody is about to read the body of the request that is being served.
    package struct BodyIsWanted: Sendable {
        package init() {}
    }

    private enum Waiting {
        case part(HTTPServerRequestPart)
        case garbage(any Error)
        case inputClosed
    }

    private let dependencies: Dependencies
    private var rules: HTTPConnectionRules
    private var place: ConnectionSlots.ID?
    /// The first that was in order; most clients name no other.
    private var servedHost: String?
    private var context: ChannelHandlerContext?
    /// The encoder's place: what is written from there goes on the wire as it is.
    private var encoder: ChannelHandlerContext?
    private var waiting = CircularBuffer<Waiting>()
    /// The last small answer; once it is taken its memory serves the next.
    private var output = ByteBuffer()
    private var isReadHeld = false
    private var timer: (task: Scheduled<Void>, at: MonotonicTime)?
    /// Told when the system has taken an answer, or never will; nil once the connection has gone.
    private var onWritten: (@Sendable (Result<Void, any Error>) -> Void)?

    /// Most answers are smaller; what is larger is not worth its memory between two.
    private static let maxKeptBytes = 2048

    /// `takePlace` must follow before the channel is active.
    package init(dependencies: Dependencies) {
        self.dependencies = dependencies
        rules = HTTPConnectionRules(times: dependencies.times, now: dependencies.now())
    }

    /// False where there is no place for another connection: it is then to be closed.
    package func takePlace(on loop: any EventLoop) -> Bool {
        let handler = NIOLoopBound(self, eventLoop: loop)
        place = dependencies.table.open { loop.execute { handler.value.giveWay() } }
        return place != nil
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
        precondition(encoder != nil, "the encoder of answers stands before this handler")
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        onWritten = { result in
            if case .success = result { handler.value.delivered() }
        }
        armTimer()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    /// Gives the place back; more than once is as good as once.
    func leave() {
        timer?.task.cancel()
        timer = nil
        place.map(dependencies.table.close)
        place = nil
        context = nil
        encoder = nil
        onWritten = nil
    }

    private func giveWay() {
        if rules.mayGiveWay { context?.close(promise: nil) }
    }

    // MARK: From the client

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receive(.part(unwrapInboundIn(data)), context)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        armTimer()
        context.fireChannelReadComplete()
        // Whoever answers may have stopped reading: what a client goes on sending is thrown away all the same.
        if rules.isEnding { context.read() }
    }

    package func read(context: ChannelHandlerContext) {
        if waiting.isEmpty || rules.isEnding {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else { return context.fireErrorCaught(error) }
        receive(.garbage(error), context)
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed: receive(.inputClosed, context)
        case ChannelEvent.outputClosed where rules.isEnding:
            // It was our doing: whoever answers ends with the connection, and not in a hurry.
            break
        case is ChannelShouldQuiesceEvent:
            if rules.drain() { context.close(promise: nil) }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func receive(_ arrival: Waiting, _ context: ChannelHandlerContext) {
        let fate = waiting.isEmpty ? fate(of: arrival) : .queued
        if fate == .queued { waiting.append(arrival) } else { process(arrival, fate, context) }
    }

    private func fate(of arrival: Waiting) -> HTTPConnectionRules.Fate {
        switch arrival {
        case .part(.head): rules.fate(of: .head)
        case .part(.body): rules.fate(of: .body)
        case .part(.end): rules.fate(of: .end)
        // In a request it concerns whoever serves it, and between requests it is as good as one.
        case .garbage: rules.isReceiving ? .passed : rules.fate(of: .head)
        case .inputClosed: .passed
        }
    }

    private func process(
        _ arrival: Waiting, _ fate: HTTPConnectionRules.Fate, _ context: ChannelHandlerContext
    ) {
        switch (arrival, fate) {
        case (.inputClosed, _):
            if rules.isEnding { return context.close(promise: nil) }
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case (_, .dropped): break
        case (_, .queued): preconditionFailure("a part was taken before its turn")
        case (.garbage(let error), .passed):
            if rules.isReceiving { return context.fireErrorCaught(error) }
            guard context.channel.isActive else { return }
            rules.receivedGarbage(now: dependencies.now())
            refuse(.garbage(error), context)
        case (.part(let part), .passed):
            pass(part, context)
        }
    }

    private func pass(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            rules.received(head, now: dependencies.now())
            if let refusal = dependencies.heads.refusal(of: head, servedHost: servedHost) {
                return refuse(refusal, context)
            }
            if dependencies.heads.isForCertified(head), !isCertified(context) {
                return refuse(.uncertified, context)
            }
            servedHost = servedHost ?? dependencies.heads.servedHost(of: head)
            if let place, !dependencies.table.begins(place, isProbe: head.isProbe) { return refuse(.busy, context) }
        case .body: rules.receivedBody()
        case .end: rules.receivedEnd()
        }
        context.fireChannelRead(wrapInboundOut(part))
    }

    /// Whether the client has shown a certificate; one that is not good has ended the handshake.
    private func isCertified(_ context: ChannelHandlerContext) -> Bool {
        // Without a handler for TLS there is none.
        (try? context.pipeline.syncOperations.nioSSL_peerCertificate()) != nil
    }

    private func refuse(_ refusal: HeadRefusal, _ context: ChannelHandlerContext) {
        dependencies.onRefusal(Int(refusal.status.code))
        let fields = refusal.retryAfter.map { [(name: "Retry-After", value: "\($0)")] } ?? []
        answer(WholeAnswer(refusal.status, JSONWriter.body(of: refusal.error), fields: fields), isLast: true)
    }

    // MARK: To the client

    /// Answers the request that is being served, in one write and past the encoder, which has nothing to add.
    func answer(_ answer: WholeAnswer, isLast: Bool) {
        guard let context, let encoder, let persistence = rules.answering(isLast: isLast) else { return }
        output.clear()
        answer.write(to: &output, date: dependencies.date.text, persistence: persistence)
        let bytes = output
        if output.capacity > HTTPConnectionHandler.maxKeptBytes { output = ByteBuffer() }
        let written = answered(nil, context)
        encoder.writeAndFlush(NIOAny(bytes), promise: written)
        armTimer()
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        send(unwrapOutboundIn(data), promise, context)
    }

    package func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?)
    {
        guard event is BodyIsWanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        if rules.bodyIsWanted() {
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        }
        promise?.succeed()
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output, rules.finishes() {
            promise?.succeed()
        } else {
            context.close(mode: mode, promise: promise)
        }
    }

    /// What is said behind the last answer reaches nobody, and nobody need know.
    private func send(
        _ part: HTTPServerResponsePart, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext
    ) {
        switch part {
        case .head(let head):
            guard let head = rules.answering(head) else { break }
            return context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body where rules.isAnswering:
            return context.write(wrapOutboundOut(part), promise: promise)
        case .end where rules.isAnswering:
            context.write(wrapOutboundOut(part), promise: answered(promise, context))
            return armTimer()
        case .body, .end: break
        }
        promise?.succeed()
    }

    /// All of an answer is at hand; what it is written with tells when the system has taken it.
    private func answered(
        _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext
    ) -> EventLoopPromise<Void> {
        rules.answered(now: dependencies.now())
        place.map(dependencies.table.rests)
        let written = promise ?? context.eventLoop.makePromise()
        if let onWritten { written.futureResult.whenComplete(onWritten) }
        return written
    }

    private func delivered() {
        guard let context else { return }
        switch rules.delivered(now: dependencies.now()) {
        case .nextRequest:
            processWaiting(context)
        case .end:
            waiting.removeAll()
            context.close(mode: .output, promise: nil)
            context.read()
        case nil: break
        }
        armTimer()
    }

    private func processWaiting(_ context: ChannelHandlerContext) {
        var count = 0
        while let arrival = waiting.first {
            let fate = fate(of: arrival)
            if fate == .queued { break }
            waiting.removeFirst()
            process(arrival, fate, context)
            count += 1
        }
        if count > 0 { context.fireChannelReadComplete() }
        if waiting.isEmpty, isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    // MARK: Time

    /// One timer, set anew only where a deadline has come nearer: most pass unseen.
    private func armTimer() {
        guard let context, let deadline = rules.deadline else { return }
        if let at = timer?.at {
            guard deadline < at else { return }
            timer?.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(max(0, (deadline - dependencies.now()).nanoseconds))
        ) { [self] in
            timer = nil
            hitDeadline()
        }
        timer = (task, deadline)
    }

    private func hitDeadline() {
        guard let context else { return }
        let unsent = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if rules.hitDeadline(unsentBytes: unsent, now: dependencies.now()) {
            context.close(promise: nil)
        } else {
            armTimer()
        }
    }
}
