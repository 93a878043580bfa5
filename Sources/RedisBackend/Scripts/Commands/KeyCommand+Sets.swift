import RedisClient

extension KeyCommand where Answer == Int64 {
    package static func size(ofSet key: Key) -> Self {
        KeyCommand("SCARD", key) { $0.integer }
    }

    package static func size(ofSortedSet key: Key) -> Self {
        KeyCommand("ZCARD", key) { $0.integer }
    }

    /// Answers how many there were.
    package static func remove(_ member: String, fromSorted key: Key) -> Self {
        KeyCommand("ZREM", key, [.string(member)]) { $0.integer }
    }

    /// Keeps those with the highest scores; answers how many went.
    package static func keep(highest count: Int, of key: Key) -> Self {
        KeyCommand("ZREMRANGEBYRANK", key, [0, .count(-1 - count)]) { $0.integer }
    }

    /// Lets go of all with scores up to this one; answers how many went.
    package static func forget(upTo score: Int64, in key: Key) -> Self {
        KeyCommand("ZREMRANGEBYSCORE", key, ["-inf", .integer(score)]) { $0.integer }
    }
}

extension KeyCommand where Answer == Int64? {
    /// Nil where there is no such member.
    package static func score(of member: String, in key: Key) -> Self {
        KeyCommand("ZSCORE", key, [.string(member)]) { $0.isNull ? .some(nil) : $0.integer }
    }
}

extension KeyCommand where Answer == [Int64?] {
    /// In the members' order.
    package static func scores(of members: [String], in key: Key) -> Self {
        KeyCommand("ZMSCORE", key, members.map { .string($0) }) { reply in
            guard reply.count == members.count else { return nil }
            return reply.array.map { $0.map(\.integer) }
        }
    }
}

extension KeyCommand where Answer == [HeldEntry] {
    /// All that a node's set names.
    package static func entries(of key: Key) -> Self {
        KeyCommand("SMEMBERS", key) { $0.array == nil ? nil : $0.strings.compactMap { HeldEntry($0) } }
    }

    /// Any of what a node's set names.
    package static func someEntries(of key: Key, most count: Int) -> Self {
        KeyCommand("SRANDMEMBER", key, [.count(count)]) {
            $0.array == nil ? nil : $0.strings.compactMap { HeldEntry($0) }
        }
    }
}
