import RedisClient

/// One plain command: the key it is about, which says its partition, and what its reply means.
package struct KeyCommand<Answer: Sendable>: Sendable {
    /// Of its key; for the few that are about a server itself, any of that server's.
    let slot: KeySlot
    /// For texts of errors.
    let name: String
    let words: [RedisArgument]
    /// Nil where the reply has another shape than the command's.
    package let read: @Sendable (RedisReply) -> Answer?

    init(
        _ name: String, _ key: Key, _ rest: [RedisArgument] = [], read: @escaping @Sendable (RedisReply) -> Answer?
    ) {
        slot = key.slot
        self.name = name
        var words: [RedisArgument] = []
        words.reserveCapacity(2 + rest.count)
        words.append(.string(name))
        words.append(.string(key.name))
        words.append(contentsOf: rest)
        self.words = words
        self.read = read
    }

    /// About the server itself that has a slot.
    init(
        _ name: String, section: String? = nil, of slot: KeySlot,
        read: @escaping @Sendable (RedisReply) -> Answer?
    ) {
        self.slot = slot
        self.name = name
        words = [.string(name)] + (section.map { [.string($0)] } ?? [])
        self.read = read
    }
}
