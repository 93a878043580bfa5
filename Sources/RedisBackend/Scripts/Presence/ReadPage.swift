import RedisClient

/// Reads part of a sorted set, in an order that stays while members come and go.
package struct ReadPage: Script {
    let set: Key
    let limit: Int
    /// Where to go on; nil for the beginning.
    let place: PageCursor.Place?

    package init(of set: Key, limit: Int, after place: PageCursor.Place?) {
        self.set = set
        self.limit = limit
        self.place = place
    }

    package var file: RedisScript { Scripts.page }

    package func spelled(with keys: Keys) -> ScriptCall {
        let after: [RedisArgument] = place.map { [.integer($0.score), .string($0.member)] } ?? []
        return ScriptCall(keys: [set], arguments: [.count(limit)] + after)
    }

    package func read(_ reply: RedisReply) -> [PageCursor.Place]? {
        guard reply.array != nil else { return nil }
        return reply.pairs.compactMap { member, score in
            guard let member = member.string, let score = score.integer else { return nil }
            return PageCursor.Place(score: score, member: member)
        }
    }
}
