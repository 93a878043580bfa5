import GatewayCore
import RedisClient

/// Looks through part of a partition's rooms for those of a span.
package struct ReadSpan: Script {
    /// What was found, and where to go on; nil at the end.
    package struct Part: Sendable {
        package let rooms: [RoomName]
        package let last: PageCursor.Place?
    }

    let set: Key
    let span: RoomSpan
    /// How many are looked at.
    let portion: Int
    /// Where to go on; nil for the beginning.
    let place: PageCursor.Place?

    package init(of set: Key, in span: RoomSpan, portion: Int, after place: PageCursor.Place?) {
        self.set = set
        self.span = span
        self.portion = portion
        self.place = place
    }

    package var file: RedisScript { Scripts.span }

    package func spelled(with keys: Keys) -> ScriptCall {
        let after: [RedisArgument] = place.map { [.integer($0.score), .string($0.member)] } ?? []
        let passedOver = span.isWithoutForeign ? AppFence.mark : ""
        return ScriptCall(
            keys: [set], arguments: [.string(span.prefix), .string(passedOver), .count(portion)] + after)
    }

    package func read(_ reply: RedisReply) -> Part? {
        guard reply.count >= 2, let score = reply[0].string, let member = reply[1].string else { return nil }
        var last: PageCursor.Place?
        if !score.isEmpty {
            guard let score = Int64(score) else { return nil }
            last = PageCursor.Place(score: score, member: member)
        }
        return Part(rooms: reply.strings.dropFirst(2).map { RoomName(unchecked: $0) }, last: last)
    }
}
