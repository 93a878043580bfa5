/// The part of what a listener has missed that one answer may hold; the listener asks for the rest later.
package struct Portion: Hashable, Sendable {
    /// Of messages in memory; 0 asks only whether all is there.
    package var bytes: Int
    /// Whether the first message is given however large it is, so that the listener gets on.
    package var atLeastOne: Bool

    package init(bytes: Int, atLeastOne: Bool = false) {
        self.bytes = bytes
        self.atLeastOne = atLeastOne
    }

    package static let unbounded = Portion(bytes: .max)
    package static let none = Portion(bytes: 0)

    package var isNone: Bool { bytes <= 0 && !atLeastOne }

    /// Appends what there is room for besides what was taken already, `limit` messages at most; looks at no others but the
    /// first that does not fit. Answers whether that was all.
    package func fill(
        _ taken: inout [RoomMessage], limit: Int = .max, from messages: some Collection<RoomMessage>
    ) -> Bool {
        var left = taken.reduce(bytes) { $0 - $1.memoryBytes }
        for message in messages {
            left -= message.memoryBytes
            guard taken.count < limit, left >= 0 || (taken.isEmpty && atLeastOne) else { return false }
            taken.append(message)
        }
        return true
    }
}
