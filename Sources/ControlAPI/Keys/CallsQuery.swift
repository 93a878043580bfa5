import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/calls?limit=&cursor=`: what backends did, the latest first.
struct CallsQuery: Sendable {
    let page: PageQuery

    init(target: RequestTarget) throws(RequestError) {
        page = try PageQuery(target: target)
    }

    func answer(from ledger: (any CallLedger)?) async throws -> Response {
        guard let ledger else { throw Refusal.notFound("nothing is kept of calls") }
        let calls = try await ledger.calls(limit: page.limit, cursor: page.cursor)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"calls":["#, to: &answer)
        JSONWriter.append(calls.calls, to: &answer) { noted, bytes in
            JSONWriter.append(#"{"timestamp":"#, to: &bytes)
            JSONWriter.append(integer: noted.timestamp, to: &bytes)
            JSONWriter.append(#","key":"#, to: &bytes)
            JSONWriter.append(string: noted.call.key, to: &bytes)
            JSONWriter.append(#","call":"#, to: &bytes)
            JSONWriter.append(string: noted.call.call, to: &bytes)
            JSONWriter.append(#","whom":"#, to: &bytes)
            JSONWriter.append(string: noted.call.whom, to: &bytes)
            JSONWriter.append(#","result":"#, to: &bytes)
            JSONWriter.append(integer: noted.call.status, to: &bytes)
            JSONWriter.append("}", to: &bytes)
        }
        JSONWriter.append("]", to: &answer)
        JSONWriter.append(next: calls.next, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}
