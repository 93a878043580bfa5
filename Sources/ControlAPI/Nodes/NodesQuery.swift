import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/nodes?limit=&cursor=`: the live nodes by name.
struct NodesQuery: Sendable {
    /// The cursor is the name of the last node already seen.
    let page: PageQuery

    init(target: RequestTarget) throws(RequestError) {
        page = try PageQuery(target: target)
    }

    func answer(from directory: any NodeDirectory) async throws -> Response {
        let all = try await directory.nodes().sorted { precedes($0.nodeId, $1.nodeId) }
        let rest = all.drop { node in page.cursor.map { !precedes($0, node.nodeId) } ?? false }
        let shown = rest.prefix(page.limit)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"nodes":["#, to: &answer)
        JSONWriter.append(shown, to: &answer) { JSONWriter.append(node: $0, to: &$1) }
        JSONWriter.append("]", to: &answer)
        JSONWriter.append(next: shown.count < rest.count ? shown.last?.nodeId : nil, to: &answer)
        JSONWriter.append(#","total":"#, to: &answer)
        JSONWriter.append(integer: all.count, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }

    /// By bytes, so that the order is the same on every node.
    private func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension JSONWriter {
    static func append(node: NodeEntry, to bytes: inout [UInt8]) {
        append(#"{"nodeId":"#, to: &bytes)
        append(string: node.nodeId, to: &bytes)
        append(#","startedAt":"#, to: &bytes)
        append(integer: node.startedAt, to: &bytes)
        append(#","connections":"#, to: &bytes)
        append(integer: node.load.connections, to: &bytes)
        append(#","rooms":"#, to: &bytes)
        append(integer: node.load.rooms, to: &bytes)
        append(#","load":"#, to: &bytes)
        append(thousandths: node.load.processor, to: &bytes)
        append(#","version":"#, to: &bytes)
        append(string: node.version, to: &bytes)
        append(node.reason == nil ? #","ready":true"# : #","ready":false,"reason":"#, to: &bytes)
        if let reason = node.reason { append(string: reason, to: &bytes) }
        append("}", to: &bytes)
    }

    /// A number from zero up with three decimals; what is none, or beyond a billion, is 0.
    static func append(thousandths value: Double, to bytes: inout [UInt8]) {
        let thousandths = value >= 0 && value < 1e9 ? Int((value * 1000).rounded()) : 0
        append(integer: thousandths / 1000, to: &bytes)
        append(".", to: &bytes)
        let decimals = String(thousandths % 1000)
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 3 - decimals.utf8.count))
        bytes.append(contentsOf: decimals.utf8)
    }
}
