import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/top?by=bytesIn|bytesOut|redis|cpu&of=users|rooms|addresses`: who cost most in the last minute, on all nodes.
struct TopQuery: Sendable {
    let measure: SpendingMeasure
    let kind: SpenderKind

    /// As many as are told.
    static let count = 50

    init(target: RequestTarget) throws(RequestError) {
        measure = try TopQuery.word("by", in: target) ?? .cpu
        kind = try TopQuery.word("of", in: target) ?? .users
    }

    func answer(from directory: any SpenderDirectory) async throws -> Response {
        let all = try await directory.spenders(kind).map { (amount: measure.amount(of: $0.spending), spender: $0) }
        // Names decide between equals, so that the order is the same however often one asks.
        let top = all.filter { $0.amount > 0 }.sorted {
            $0.amount == $1.amount ? $0.spender.name < $1.spender.name : $0.amount > $1.amount
        }.prefix(TopQuery.count)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"top":["#, to: &answer)
        JSONWriter.append(top, to: &answer) { append($0.spender, to: &$1) }
        JSONWriter.append("]}", to: &answer)
        return .json(answer)
    }

    private func append(_ spender: Spender, to bytes: inout [UInt8]) {
        switch kind {
        case .users: JSONWriter.append(#"{"userId":"#, to: &bytes)
        case .rooms: JSONWriter.append(#"{"roomId":"#, to: &bytes)
        case .addresses: JSONWriter.append(#"{"address":"#, to: &bytes)
        }
        let spending = spender.spending
        JSONWriter.append(string: spender.name, to: &bytes)
        JSONWriter.append(#","bytesIn":"#, to: &bytes)
        JSONWriter.append(integer: spending.bytesIn, to: &bytes)
        JSONWriter.append(#","bytesOut":"#, to: &bytes)
        JSONWriter.append(integer: spending.bytesOut, to: &bytes)
        JSONWriter.append(#","redis":"#, to: &bytes)
        JSONWriter.append(thousandths: Double(spending.redisNanoseconds) / 1e6, to: &bytes)
        JSONWriter.append(#","cpu":"#, to: &bytes)
        JSONWriter.append(thousandths: Double(spending.processorNanoseconds) / 1e6, to: &bytes)
        JSONWriter.append("}", to: &bytes)
    }

    private static func word<Word: RawRepresentable<String> & CaseIterable>(
        _ name: String, in target: RequestTarget
    ) throws(RequestError) -> Word? {
        guard let text = try target.value(name) else { return nil }
        guard let word = Word(rawValue: text) else {
            let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw RequestError(.badRequest, "\(name): must be one of \(words)")
        }
        return word
    }
}
