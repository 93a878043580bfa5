import GatewayCore
import Hummingbird

/// Pusher's HTTP API for a port that is not this one's: counted, traced by nobody, and audited as on the api port.
struct PusherCalls: SignedCalls {
    let responder: ControlResponder

    func admit(_ head: SignedCallHead) -> SignedCallVerdict {
        let began = ContinuousClock.now
        guard !responder.pusher.apps.isEmpty,
            let method = HTTPRequest.Method(rawValue: head.method),
            let target = try? RequestTarget(path: head.path, query: head.query),  // What cannot be read is nothing.
            let call = PusherCall(segments: target.segments)
        else { return .absent }
        do {
            guard call.methods.contains(method) else { throw Refusal.methodNotAllowed(call.methods) }
            let admitted = try responder.pusher.admit(
                call, method: head.method, path: head.path, query: head.query, target: target)
            return .admitted(maxBodyBytes: admitted.takesBody ? responder.body.maxBytes : 0) { body in
                await answer(admitted, call, method, body, key: head.idempotencyKey, began)
            }
        } catch {
            return .refused(finish(.failure(error), call, method, caller: nil, began))
        }
    }

    private func answer(
        _ admitted: PusherAPI.Admitted, _ call: PusherCall, _ method: Route.Method, _ body: [UInt8], key: String?,
        _ began: ContinuousClock.Instant
    ) async -> CallAnswer {
        let result: Result<[UInt8], any Error>
        do {
            result = .success(
                try await responder.pusher.answer(admitted, body: responder.body.text(body), key: key))
        } catch {
            result = .failure(error)
        }
        return finish(result, call, method, caller: admitted.app.caller, began)
    }

    private func finish(
        _ result: Result<[UInt8], any Error>, _ call: PusherCall, _ method: Route.Method, caller: String?,
        _ began: ContinuousClock.Instant
    ) -> CallAnswer {
        let answer: CallAnswer
        switch result {
        case .success(let body): answer = CallAnswer(status: 200, contentType: "application/json", body: body)
        case .failure(let error):
            let refusal = responder.refusal(for: error)
            answer = CallAnswer(
                status: refusal.status.code, contentType: "text/plain; charset=utf-8",
                body: Array("\(refusal.error.message)\n".utf8), allow: refusal.headers[.allow],
                retryAfter: refusal.headers[.retryAfter])
        }
        let status = HTTPResponse.Status(code: answer.status)
        responder.requests.answered(.pusher(call), method, status, since: began)
        if let caller { responder.audit.record(caller, .pusher(call), method, whom: call.whom, status) }
        return answer
    }
}
