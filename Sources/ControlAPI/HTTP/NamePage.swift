import GatewayCore

/// A page of a list of names.
struct NamePage: Sendable {
    var names: [String]
    /// Nil at the end.
    var next: String?
    /// Nil where it is not known.
    var total: Int?
}

extension PageQuery {
    /// Names read at once to find those that are sought, and how often for one answer.
    private static let portion = 1000
    private static let portions = 16

    /// Goes through a list for the names that are sought, as far as one request may; there may be more even where there are few,
    /// or none.
    ///
    /// - Parameter seal: of cursors, where what is not sought must not be seen in them.
    /// - Throws: `bad_request` for a cursor that no page has given.
    func names(
        sealedBy seal: CursorSeal?, where isSought: (String) -> Bool,
        in list: (_ limit: Int, _ cursor: String?) async throws -> NamePage
    ) async throws -> NamePage {
        var found = NamePage(names: [], next: cursor)
        if let seal, let cursor {
            guard let opened = seal.open(cursor) else { throw DirectoryError.badCursor }
            found.next = opened
        }
        func read(_ count: Int) async throws -> (part: NamePage, places: [Int]) {
            let part = try await list(count, found.next)
            return (part, part.names.indices.filter { isSought(part.names[$0]) })
        }
        for _ in 0..<PageQuery.portions {
            let wanted = limit - found.names.count
            var (part, places) = try await read(PageQuery.portion)
            // A page ends where a portion does: one that holds too many is read again as one that ends with the last wanted, and
            // where others have come there meanwhile, as one that cannot hold more.
            if places.count > wanted { (part, places) = try await read(places[wanted - 1] + 1) }
            if places.count > wanted { (part, places) = try await read(wanted) }
            found.names += places.map { part.names[$0] }
            found.next = part.next
            if found.next == nil || found.names.count >= limit { break }
        }
        if let seal { found.next = try found.next.map(seal.close) }
        return found
    }
}
