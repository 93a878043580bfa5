import GatewayCore
import Hummingbird
import NIOCore
import NIOHTTP1

/// The handler that answers the hot routes on the connection's own loop, between ``HTTPConnectionHandler`` and the library, which never
/// sees them: no part of such a request goes through a stream, and all of the answer leaves in one write.
///
/// It belongs to its channel's event loop, on which its tasks run too.
final class HotRouteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    /// A request of which not all has come.
    private struct Incoming {
        let call: HotRoute
        let announcesBody: Bool
        let began: ContinuousClock.Instant
        let trace: RequestTracing.Trace?
        var key: BackendKey?
        var body: [UInt8] = []
        /// Why it is refused, which is told at its end: there is no body to be spared.
        var refusal: (any Error)?
    }

    /// The end of the client's side.
    private enum Ending {
        case inputClosed
        case garbage(any Error)
    }

    private let responder: Shared<ControlResponder>
    private let connection: HTTPConnectionHandler
    private let executor: EventLoopTaskExecutor
    private var rules = HotRouteRules()
    private var incoming: Incoming?
    /// The key of the last request.
    private var known: KeyRing.Found?
    private var ending: Ending?
    private var context: ChannelHandlerContext?
    /// Takes the answer to the request that is under way, on the loop; nil once the handler is removed.
    private var reply: (@Sendable (Result<[UInt8], any Error>) -> Void)?
    /// What counts the last answer, and in all likelihood the next.
    private var counted: (call: HotRoute, status: HTTPResponse.Status, series: RequestMetrics.Series)?
    /// Whether the library has been given anything since it was last told that all has been read.
    private var hasPassedOn = true

    /// - Parameter connection: stands right before it.
    init(responder: Shared<ControlResponder>, connection: HTTPConnectionHandler, executor: EventLoopTaskExecutor) {
        self.responder = responder
        self.connection = connection
        self.executor = executor
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let handler = NIOLoopBound(self, eventLoop: executor.loop)
        reply = { handler.value.give($0) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        reply = nil
    }

    // MARK: From the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let call = HotRoute(head)
            guard rules.receivedHead(isHot: call != nil) == .kept, let call else { break }
            return begin(call, head, context)
        case .body(let part):
            switch rules.fateOfBody() {
            case .passed: break
            case .kept: return receive(part)
            case .dropped, .answered, .brokenOff, .postponed: return
            }
        case .end:
            switch rules.receivedEnd() {
            case .passed: break
            case .answered: return answer()
            case .kept, .dropped, .brokenOff, .postponed: return
            }
        }
        hasPassedOn = true
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard hasPassedOn else { return }
        hasPassedOn = false
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        end(.inputClosed, context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else { return context.fireErrorCaught(error) }
        end(.garbage(error), context)
    }

    private func end(_ ending: Ending, _ context: ChannelHandlerContext) {
        switch rules.inputEnded() {
        case .passed: pass(ending, context)
        case .postponed: self.ending = self.ending ?? ending
        case .brokenOff:
            self.ending = ending
            refuse(Refusal.brokenOff)
        case .kept, .dropped, .answered: break
        }
    }

    private func pass(_ ending: Ending, _ context: ChannelHandlerContext) {
        switch ending {
        case .inputClosed: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .garbage(let error): context.fireErrorCaught(error)
        }
    }

    private func begin(_ call: HotRoute, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let head = HotFields(head.headers)
        let fields = head.body
        let trace = responder.value.tracing.begin(head.traceparent)
        incoming = Incoming(call: call, announcesBody: fields.announcesBody, began: .now, trace: trace)
        do {
            try authorize(head.authorization, call)
            if call.method == .post { try responder.value.body.check(fields) }
        } catch {
            if fields.announcesBody {
                rules.refused()
                refuse(error)
            } else {
                incoming?.refusal = error
            }
            return
        }
        if fields.expects {
            context.triggerUserOutboundEvent(HTTPConnectionHandler.BodyIsWanted(), promise: nil)
        }
    }

    private func authorize(_ field: String?, _ call: HotRoute) throws {
        let keys = responder.value.keys
        let found = try keys.find(field, known: known)
        known = found
        incoming?.key = found.key
        try keys.spend(found.key)
        try found.key.check(call.route, call.method)
    }

    private func receive(_ part: ByteBuffer) {
        guard let count = incoming?.body.count else { return }
        guard count + part.readableBytes <= responder.value.body.maxBytes else {
            rules.refused()
            return refuse(responder.value.body.tooLarge)
        }
        part.withUnsafeReadableBytes { incoming?.body.append(contentsOf: $0) }
    }

    // MARK: To the client

    private func answer() {
        guard let incoming, let reply else { return }
        if let error = incoming.refusal { return refuse(error) }
        let isSmall = incoming.body.count <= HotRouteHandler.maxBytesOnLoop
        switch incoming.call {
        case .broadcast where isSmall: broadcast(incoming, isBatch: false, reply)
        case .broadcastBatch where isSmall: broadcast(incoming, isBatch: true, reply)
        case .broadcast, .broadcastBatch, .usersQuery, .user: ask(incoming, isSmall: isSmall, reply)
        }
    }

    private func broadcast(
        _ incoming: Incoming, isBatch: Bool, _ reply: @escaping @Sendable (Result<[UInt8], any Error>) -> Void
    ) {
        do {
            // No method of the responder's: to call one is to copy it, with all that it holds.
            let body = try responder.value.body.text(incoming.body)
            responder.value.broadcaster.answer(
                body, isBatch: isBatch, by: incoming.key, within: incoming.trace?.context, on: executor.loop,
                reply: reply)
        } catch {
            refuse(error)
        }
    }

    /// In a task, which costs more than a broadcast itself.
    private func ask(
        _ incoming: Incoming, isSmall: Bool, _ reply: @escaping @Sendable (Result<[UInt8], any Error>) -> Void
    ) {
        let work: @Sendable () async -> Void = { [responder, loop = executor.loop] in
            let result: Result<[UInt8], any Error>
            do {
                result = .success(
                    try await incoming.trace.run {
                        try await responder.value.answer(incoming.call, incoming.body, by: incoming.key)
                    })
            } catch {
                result = .failure(error)
            }
            guard !loop.inEventLoop else { return reply(result) }
            loop.execute { [result] in reply(result) }
        }
        if isSmall {
            Task.immediate(executorPreference: executor, operation: work)
        } else {
            Task(operation: work)
        }
    }

    /// What a larger body asks for would hold up the loop's clients: it is done elsewhere.
    private static let maxBytesOnLoop = 65536

    private func give(_ result: Result<[UInt8], any Error>) {
        switch result {
        case .success(let body): write(.ok, body)
        case .failure(let error): refuse(error)
        }
    }

    private func refuse(_ error: any Error) {
        let refusal = responder.value.refusal(for: error)
        // As the library's: what was refused before its body was read has a body still coming.
        write(
            refusal.status, refusal.body, refusal.headers.map { ($0.name.rawName, $0.value) },
            isLast: incoming?.announcesBody == true)
    }

    private func write(
        _ status: HTTPResponse.Status, _ body: [UInt8], _ fields: [(name: String, value: String)] = [],
        isLast: Bool = false
    ) {
        guard let incoming = incoming.take() else { return }
        let (route, method) = (incoming.call.route, incoming.call.method)
        count(incoming.call, status, since: incoming.began)
        incoming.trace?.end(route, method, status)
        if let key = incoming.key { responder.value.audit.record(key.name, route, method, whom: route.whom, status) }
        let endsInput = rules.answered()
        guard let context else { return }
        connection.answer(
            WholeAnswer(HTTPResponseStatus(statusCode: status.code), body, fields: fields), isLast: isLast)
        if endsInput, let ending {
            self.ending = nil
            pass(ending, context)
        }
    }

    private func count(_ call: HotRoute, _ status: HTTPResponse.Status, since began: ContinuousClock.Instant) {
        if let counted, counted.status == status, counted.call == call {
            return counted.series.answered(since: began)
        }
        let series = responder.value.requests.series(call.route, call.method, status)
        counted = (call, status, series)
        series.answered(since: began)
    }
}
