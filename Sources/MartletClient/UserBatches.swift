import GatewayCore

/// Users by the frame: 100 at most, and no more bytes than the gateway takes in one.
///
/// Pure.
package struct UserBatches: Sequence, IteratorProtocol, Sendable {
    private static let most = 100

    private var left: ArraySlice<UserID>
    private let maxBytes: Int

    /// - Parameter maxBytes: of the names in one frame; one that is longer goes alone.
    package init(_ users: [UserID], maxBytes: Int) {
        left = users[...]
        self.maxBytes = maxBytes
    }

    package mutating func next() -> [UserID]? {
        var bytes = 0
        let batch = left.prefix(UserBatches.most).prefix { user in
            // A name may double by its escapes; quotes and a comma are three.
            bytes += 2 * user.string.utf8.count + 3
            return bytes <= maxBytes
        }
        let count = Swift.max(batch.count, Swift.min(1, left.count))
        defer { left = left.dropFirst(count) }
        return count == 0 ? nil : Array(left.prefix(count))
    }
}
