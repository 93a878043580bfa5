import Hummingbird

extension ControlResponder {
    /// Whether there is anything under this path.
    func isOpen(_ route: Route) -> Bool { !route.isPusher || !pusher.apps.isEmpty }

    /// Answers a call of Pusher's HTTP API; nothing of its body is read until its signature is found to be good.
    ///
    /// - Parameter caller: the app that has signed it, once that is known.
    func answer(
        _ call: PusherCall, target: RequestTarget, request: Request, context: ControlContext, caller: inout String?
    ) async throws -> Response {
        let admitted = try pusher.admit(
            call, method: request.method.rawValue, path: request.uri.path, query: request.uri.query ?? "",
            target: target)
        caller = admitted.app.caller
        let bytes = try await admitted.takesBody ? body.read(request, on: context.channel) : []
        let key = request.headers.first { $0.name.canonicalName == PusherCall.idempotencyField }?.value
        return .json(try await pusher.answer(admitted, body: bytes, key: key))
    }
}
