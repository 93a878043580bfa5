import RedisClient

/// The outcome of a claim.
package enum Claim: Hashable, Sendable {
    case taken
    /// It was taken before, with this value.
    case held(by: String)
}

extension KeyCommand where Answer == String? {
    /// Nil where there is no such string.
    package static func text(of key: Key) -> Self {
        KeyCommand("GET", key) { $0.isNull ? .some(nil) : $0.string }
    }
}

extension KeyCommand where Answer == [String?] {
    /// Of several strings of one partition, the first among them.
    package static func texts(of first: Key, _ others: [Key]) -> Self {
        KeyCommand("MGET", first, others.map { .string($0.name) }) { reply in
            reply.array.map { $0.map(\.string) }
        }
    }
}

extension KeyCommand where Answer == Done {
    package static func write(_ text: String, to key: Key, life: Duration) -> Self {
        KeyCommand("SET", key, [.string(text), "PX", .milliseconds(life)], read: Done.init)
    }
}

extension KeyCommand where Answer == Claim {
    /// Writes a string that is not there, for so long.
    package static func claim(_ key: Key, with text: String, life: Duration) -> Self {
        KeyCommand("SET", key, [.string(text), "NX", "GET", "PX", .milliseconds(life)]) { reply in
            reply.isNull ? .taken : reply.string.map { .held(by: $0) }
        }
    }
}

extension KeyCommand where Answer == Int64 {
    /// Answers how many there were.
    package static func forget(_ key: Key) -> Self {
        KeyCommand("UNLINK", key) { $0.integer }
    }

    /// Gives a key so long to live; answers whether it is there (0, 1).
    package static func expire(_ key: Key, in life: Duration) -> Self {
        KeyCommand("PEXPIRE", key, [.milliseconds(life)]) { $0.integer }
    }

    /// Gives a key that has an end this life from now on, and leaves one that has none.
    static func prolong(_ key: Key, _ life: Duration) -> Self {
        KeyCommand("PEXPIRE", key, [.milliseconds(life), "XX"]) { $0.integer }
    }
}
