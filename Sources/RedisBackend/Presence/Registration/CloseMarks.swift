/// Connections of this node that somebody marked to be closed: the kick of a backend, a session that went on elsewhere,
/// one connection too many. The word about it usually comes over the node's channel; a beat tells where it did not.
struct CloseMarks {
    /// How often connections of the node had been marked when the marks were last read; nil where they have to be.
    private var count: Int64?
    /// Connections with a mark, which is kept until they have gone.
    private var marked: Set<String> = []

    /// Whether there are marks that have not been read; they are about to be.
    mutating func isNews(_ count: Int64) -> Bool {
        defer { self.count = count }
        return self.count != count
    }

    /// They have to be read, or read again.
    mutating func unread() { count = nil }

    mutating func add(_ connection: String) { marked.insert(connection) }

    /// The connection has gone; whether it had a mark.
    mutating func remove(_ connection: String) -> Bool { marked.remove(connection) != nil }
}
