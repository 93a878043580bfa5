import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/addresses/bans?limit=&cursor=`: the bans that hold, by their range.
struct AddressBansQuery: Sendable {
    /// The cursor is the range of the last ban already seen.
    let page: PageQuery

    init(target: RequestTarget) throws(RequestError) {
        page = try PageQuery(target: target)
    }

    func answer(from bans: any AddressBans) async throws -> Response {
        let all = try await bans.bans().map { (cidr: $0.range.description, ban: $0) }.sorted { $0.cidr < $1.cidr }
        let rest = all.drop { entry in page.cursor.map { entry.cidr <= $0 } ?? false }
        let shown = rest.prefix(page.limit)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"bans":["#, to: &answer)
        JSONWriter.append(shown, to: &answer) { JSONWriter.append(ban: $0.ban, to: &$1) }
        JSONWriter.append("]", to: &answer)
        JSONWriter.append(next: shown.count < rest.count ? shown.last?.cidr : nil, to: &answer)
        JSONWriter.append(#","total":"#, to: &answer)
        JSONWriter.append(integer: all.count, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

extension JSONWriter {
    static func append(ban: AddressBan, to bytes: inout [UInt8]) {
        append(#"{"cidr":"#, to: &bytes)
        append(string: ban.range.description, to: &bytes)
        append(#","until":"#, to: &bytes)
        append(integer: ban.until, to: &bytes)
        append(#","reason":"#, to: &bytes)
        append(string: ban.reason, to: &bytes)
        append("}", to: &bytes)
    }
}
