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
    typealias OutboundOut = HTTPServerResponsePart

    /// A request of which not all has come.
    private struct Incoming {
        let call: HotRoute
        let fields: BodyFields
        let began: ContinuousClock.Instant
        var body: [UInt8] = []
        /// Why it is refused, which is told at its end: there is no body to be spared.
        var refusal: (any Error)?
    }

    /// The end of the client's side.
    private enum Ending {
        case inputClosed
        case garbage(any Error)
    }

    private let responder: ControlResponder
    private let executor: EventLoopTaskExecutor
    private let date: HTTPDateCache
    private var rules = HotRouteRules()
    private var incoming: Incoming?
    private var ending: Ending?
    private var context: ChannelHandlerContext?
    private var answering: Task<Void, Never>?

    init(responder: ControlResponder, executor: EventLoopTaskExecutor, date: HTTPDateCache) {
        self.responder = responder
        self.executor = executor
        self.date = date
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
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
        context.fireChannelRead(data)
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
        let fields = BodyFields(head.headers)
        incoming = Incoming(call: call, fields: fields, began: .now)
        do {
            guard responder.isAuthorized(head.headers["authorization"]) else { throw Refusal.missingKey }
            if call.method == .post { try responder.body.check(fields) }
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

    private func receive(_ part: ByteBuffer) {
        guard let count = incoming?.body.count else { return }
        guard count + part.readableBytes <= responder.body.maxBytes else {
            rules.refused()
            return refuse(responder.body.tooLarge)
        }
        part.withUnsafeReadableBytes { incoming?.body.append(contentsOf: $0) }
    }

    // MARK: To the client

    private func answer() {
        guard let incoming else { return }
        if let error = incoming.refusal { return refuse(error) }
        let handler = NIOLoopBound(self, eventLoop: executor.loop)
        let isSmall = incoming.body.count <= HotRouteHandler.maxBytesOnLoop
        answering = Task(executorPreference: isSmall ? executor : nil) { [responder, loop = executor.loop] in
            let result: Result<[UInt8], any Error>
            do {
                result = .success(try await responder.answer(incoming.call, incoming.body))
            } catch {
                result = .failure(error)
            }
            guard !loop.inEventLoop else { return handler.value.give(result) }
            loop.execute { [result] in handler.value.give(result) }
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
        let refusal = responder.refusal(for: error)
        var extra = refusal.headers.map { ($0.name.rawName, $0.value) }
        // As the library's: what was refused before its body was read has a body still coming.
        if incoming?.fields.announcesBody == true { extra.append(("Connection", "close")) }
        write(refusal.status, refusal.body, extra)
    }

    /// As the library's answers have them.
    private static let commonHeaders: HTTPHeaders = [
        "Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
    ]

    private func write(_ status: HTTPResponse.Status, _ body: [UInt8], _ extra: [(String, String)] = []) {
        guard let incoming else { return }
        self.incoming = nil
        answering = nil
        responder.requests.answered(
            incoming.call.route, incoming.call.method, status, since: incoming.began)
        if let context {
            var headers = HotRouteHandler.commonHeaders
            headers.add(name: "Content-Length", value: "\(body.count)")
            headers.add(name: "Date", value: date.text)
            headers.add(contentsOf: extra)
            let head = HTTPResponseHead(
                version: .http1_1, status: HTTPResponseStatus(statusCode: status.code), headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        let isLast = rules.answered()
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if isLast, let ending {
            self.ending = nil
            pass(ending, context)
        }
    }
}
