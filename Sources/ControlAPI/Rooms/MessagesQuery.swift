import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/rooms/{roomId}/messages?after=&before=&limit=`.
struct MessagesQuery: Sendable {
    let room: RoomName
    let range: HistoryRange

    init(room: String, target: RequestTarget) throws(RequestError) {
        self.room = try RoomName(path: room)
        let limit = try target.integer("limit", in: 1...1000) ?? 100
        switch (try target.place("after", in: 0...Int.max), try target.place("before", in: 1...Int.max)) {
        case (nil, nil): range = HistoryRange(edge: .newest, limit: limit)
        case (let after?, nil): range = HistoryRange(edge: .after(after.seq), epoch: after.epoch, limit: limit)
        case (nil, let before?): range = HistoryRange(edge: .before(before.seq), epoch: before.epoch, limit: limit)
        case (_?, _?): throw RequestError(.badRequest, "before: cannot be given together with after")
        }
    }

    func answer(from log: any MessageLog) async throws -> Response {
        let page = try await log.history(of: room, range: range)
        guard !page.head.epoch.isEmpty else { throw Refusal.notFound("nothing was ever written to this room") }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"roomId":"#, to: &answer)
        JSONWriter.append(string: room.string, to: &answer)
        JSONWriter.append(#","epoch":"#, to: &answer)
        JSONWriter.append(string: page.head.epoch, to: &answer)
        JSONWriter.append(#","messages":["#, to: &answer)
        JSONWriter.append(page.messages, to: &answer) { message, bytes in
            JSONWriter.append("{", to: &bytes)
            NativeDialect().appendFields(of: message, under: page.head.epoch, into: &bytes)
        }
        JSONWriter.append(page.isArchiveAway ? #"],"archive":"unavailable","more":"# : #"],"more":"#, to: &answer)
        JSONWriter.append(page.more ? "true" : "false", to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

extension RequestTarget {
    /// A message's number, by itself or behind its epoch and a colon; nil where the parameter is not given.
    fileprivate func place(
        _ name: String, in range: ClosedRange<Int>
    ) throws(RequestError) -> (epoch: String?, seq: Int)? {
        guard let text = try value(name), let colon = text.lastIndex(of: ":") else {
            return try integer(name, in: range).map { (nil, $0) }
        }
        let epoch = text[..<colon]
        guard (1...64).contains(epoch.utf8.count), let seq = Int(text[text.index(after: colon)...]), range.contains(seq)
        else {
            throw RequestError(.badRequest, "\(name): must be an integer, or an epoch, a colon and an integer")
        }
        return (String(epoch), seq)
    }
}
