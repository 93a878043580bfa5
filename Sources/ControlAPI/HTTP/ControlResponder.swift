import Dialects
import GatewayCore
import Hummingbird
import Logging
import NIOCore

/// Answers every request of the api port: finds the route, asks for the key, translates, and puts errors into shape.
struct ControlResponder: HTTPResponder {
    let keys: KeyRing
    let audit: Audit
    let body: RequestBodyReader
    let broadcaster: Broadcaster
    let log: any MessageLog
    let nodes: any NodeDirectory
    let presence: any PresenceDirectory
    let webhooks: (any WebhookDirectory)?
    let bans: any AddressBans
    let connections: any ConnectionCloser
    /// Nil where there are no TURN servers.
    let turn: TurnServers?
    let rooms: any RoomGovernor
    let erasure: any MessageErasure
    let spenders: any SpenderDirectory
    /// Nil where no backend is asked.
    let rights: (any RightsReview)?
    let pusher: PusherAPI
    let console: Console
    let readiness: @Sendable () -> Readiness
    let liveness: @Sendable () async -> Bool
    let metrics: MetricsRegistry
    let requests: RequestMetrics
    var tracing = RequestTracing(tracer: nil)
    let logger: Logger
    /// Of requests that the store did not answer.
    let unavailable: RecurringWarning

    func respond(to request: Request, context: ControlContext) async -> Response {
        let began = ContinuousClock.now
        let traceparent = request.headers[values: .traceparent]
        // Two of them are none.
        let trace = tracing.begin(traceparent.count == 1 ? traceparent[0] : nil)
        var route: Route?
        var key: BackendKey?
        var whom: String?
        var caller: String?
        var response: Response
        do {
            let target = try RequestTarget(path: request.uri.path, query: request.uri.query)
            if target.segments.first == "v1" {
                let fields = request.headers[values: .authorization]
                key = try keys.find(fields.count == 1 ? fields[0] : nil).key
                caller = key?.name
            }
            guard let found = Route(segments: target.segments, method: request.method), isOpen(found) else {
                throw Refusal.notFound("there is nothing here")
            }
            route = found
            whom = key == nil ? found.whom : AppScope.whom(found, target)
            guard found.methods.contains(request.method) else { throw Refusal.methodNotAllowed(found.methods) }
            if let key { try keys.spend(key) }
            let scope = key == nil ? nil : try AppScope(target, found, among: pusher.apps)
            let kept = try scope?.enter(found) ?? found
            try key?.check(kept, request.method)
            response = try await trace.run {
                try await answer(
                    kept, of: scope, target: target, request: request, context: context, key: key, whom: &whom,
                    caller: &caller)
            }
            if let scope { response = try await scope.leave(response) }
        } catch {
            response = Response(refusal(for: error), isText: route?.isPusher ?? false)
        }
        if request.method == .head { response = response.createHeadResponse() }
        // What was refused before its body was read has a body still coming: nothing can follow it.
        if response.status.kind != .successful, BodyFields(request.headers).announcesBody {
            response.headers[.connection] = "close"
        }
        requests.answered(route, request.method, response.status, since: began)
        trace?.end(route, request.method, response.status)
        if let caller, let route { audit.record(caller, route, request.method, whom: whom, response.status) }
        return response
    }

    /// - Parameters:
    ///   - scope: the app whose rooms and users it is about; nil for native ones.
    ///   - whom: whom the call is about, where that is not the path's to say.
    ///   - caller: who makes it, where that is not the key's to say.
    private func answer(
        _ route: Route, of scope: AppScope?, target: RequestTarget, request: Request, context: ControlContext,
        key: BackendKey?, whom: inout String?, caller: inout String?
    ) async throws -> Response {
        switch route {
        case .broadcast:
            let body = try await body.read(request, on: context.channel)
            return .json(try await broadcaster.answerOne(body, by: key, of: scope))
        case .broadcastBatch:
            let body = try await body.read(request, on: context.channel)
            return .json(try await broadcaster.answerBatch(body, by: key, of: scope))
        case .users:
            return try await UsersQuery(target: target, of: scope ?? AppScope(listing: pusher.apps))
                .answer(from: presence)
        case .user(let user):
            if request.method == .delete { return try await UserErasure(user: user).answer(from: erasure) }
            return .json(try await UserQuery(user: user).answer(from: presence))
        case .usersQuery:
            let query = try await UserStatusesQuery(body.read(request, on: context.channel), of: scope)
            return .json(try await query.answer(from: presence))
        case .userDisconnect(let user):
            return try await Disconnection(user: user, body: body.read(request, on: context.channel))
                .answer(from: presence)
        case .userRefresh(let user):
            return try await RightsRefresh(user: user).answer(from: rights)
        case .userBan(let user):
            return try await Pardon(user: user).answer(from: presence)
        case .connectionDisconnect(let connection):
            return try await ConnectionClosing(
                connection: connection, body: body.read(request, on: context.channel)
            ).answer(from: connections)
        case .turn:
            return try await TurnOrder(body.read(request, on: context.channel)).answer(from: turn)
        case .rooms:
            return try await RoomsQuery(target: target, of: scope ?? AppScope(listing: pusher.apps))
                .answer(from: presence)
        case .room(let room):
            let orders = { try RoomOrders(room: room, headers: request.headers, governor: rooms) }
            switch request.method {
            case .put: return try await orders().replace(body.read(request, on: context.channel))
            case .patch: return try await orders().merge(body.read(request, on: context.channel))
            case .delete: return try await orders().close(target)
            case _: return try await RoomQuery(room: room).answer(from: presence, rooms)
            }
        case .members(let room):
            guard request.method == .post else {
                return try await MembersQuery(room: room, target: target).answer(from: presence)
            }
            return try await Invitation(room: room, body: body.read(request, on: context.channel), of: scope)
                .answer(from: rooms)
        case .member(let user, let room):
            let order =
                request.method == .put
                ? try await MemberOrder.role(of: user, in: room, body.read(request, on: context.channel))
                : try MemberOrder.removal(of: user, from: room, target)
            return try await order.answer(from: rooms)
        case .roomBan(let user, let room):
            let order =
                request.method == .put
                ? try await MemberOrder.ban(of: user, from: room, body.read(request, on: context.channel))
                : try MemberOrder.pardon(of: user, in: room)
            return try await order.answer(from: rooms)
        case .roomMute(let user, let room):
            let order =
                request.method == .put
                ? try await MemberOrder.mute(of: user, in: room, body.read(request, on: context.channel))
                : try MemberOrder.voice(of: user, in: room)
            return try await order.answer(from: rooms)
        case .messages(let room):
            return try await MessagesQuery(room: room, target: target).answer(from: log)
        case .message(let room, let seq):
            return try await MessageRedaction(room: room, seq: seq, target: target).answer(from: erasure)
        case .nodes:
            return try await NodesQuery(target: target).answer(from: nodes)
        case .stats:
            return try await StatsQuery().answer(from: nodes, presence)
        case .webhooks:
            return try await WebhooksQuery().answer(from: webhooks)
        case .webhooksReplay:
            return try await Replay(body.read(request, on: context.channel)).answer(from: webhooks)
        case .calls:
            return try await CallsQuery(target: target).answer(from: audit.ledger)
        case .top:
            return try await TopQuery(target: target).answer(from: spenders)
        case .addressBans:
            switch request.method {
            case .put:
                let order = try await AddressBanOrder(body.read(request, on: context.channel))
                whom = order.range.description
                return try await order.answer(from: bans)
            case .delete:
                let lift = try AddressBanLift(target: target)
                whom = lift.range.description
                return try await lift.answer(from: bans)
            case _:
                return try await AddressBansQuery(target: target).answer(from: bans)
            }
        case .health:
            guard await liveness() else {
                throw Refusal(RequestError(.unavailable, "the node does not turn"))
            }
            return .json(Array(#"{"status":"ok"}"#.utf8))
        case .readiness:
            switch readiness() {
            case .ready: return .json(Array(#"{"status":"ready"}"#.utf8))
            case .restricted(let reason): return .json(ControlResponder.restricted(reason))
            case .notReady(let reason): throw Refusal(RequestError(.unavailable, reason))
            }
        case .metrics:
            return Response(
                contentType: PrometheusText.contentType, bytes: Array((metrics.text() + ProcessMetrics.text()).utf8))
        case .openAPI:
            return Response(contentType: "application/yaml", bytes: PackageResources.openapi_yaml)
        case .page(let page):
            return console.answer(page)
        case .consoleConfiguration:
            return console.configuration()
        case .pusher(let call):
            return try await answer(call, target: target, request: request, context: context, caller: &caller)
        }
    }

    /// The JSON that answers one of the hot routes, whose body, where it has one, has come as a whole.
    func answer(_ call: HotRoute, _ body: [UInt8], by key: BackendKey?) async throws -> [UInt8] {
        switch call {
        case .broadcast: try await broadcaster.answerOne(self.body.text(body), by: key)
        case .broadcastBatch: try await broadcaster.answerBatch(self.body.text(body), by: key)
        case .usersQuery: try await UserStatusesQuery(self.body.text(body)).answer(from: presence)
        case .user(let user): try await UserQuery(user: user).answer(from: presence)
        }
    }

    private static func restricted(_ reason: String) -> [UInt8] {
        var body = Array(#"{"status":"ready","reason":"#.utf8)
        JSONWriter.append(string: reason, to: &body)
        body.append(UInt8(ascii: "}"))
        return body
    }

    func refusal(for error: any Error) -> Refusal {
        switch error {
        case let refusal as Refusal: return refusal
        case let error as RequestError: return Refusal(error)
        case let error as BackendError: return refusal(for: error)
        case DirectoryError.backend(let error): return refusal(for: error)
        case let error as DirectoryError: return Refusal(error.request)
        default:
            logger.debug("A request ended in the middle", metadata: ["error": "\(type(of: error))"])
            return Refusal.brokenOff
        }
    }

    private func refusal(for error: BackendError) -> Refusal {
        if case .unavailable(let reason) = error {
            unavailable.record(because: reason)
        }
        return Refusal(error.request)
    }
}
