/// The reason why the archive did not do what it was asked.
package enum ArchiveError: Error, Hashable, Sendable {
    /// The database does not answer; it may come back.
    case away(String)
    /// Its password, its name or a right is wrong: an operator must act.
    case refused(String)
    /// Its disk, or the room that it was given, is full.
    case full(String)
    /// A later release has been here; its tables are not to be touched.
    case newer(found: Int, known: Int)
    /// Nobody has made the tables, or an earlier release has.
    case older(found: Int, known: Int)
    /// Another worker has this partition by now.
    case fenced
    /// Whatever else it says.
    case failed(String)
}

extension ArchiveError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .away(let reason): "the database is away: \(reason)"
        case .refused(let reason): "the database refuses this: \(reason)"
        case .full(let reason): "the database is full: \(reason)"
        case .newer(let found, let known):
            "the database's tables are of version \(found), which a later release made; this one knows \(known)"
        case .older(let found, let known):
            "the database's tables are of version \(found), and \(known) is needed: martlet archive --migrate"
        case .fenced: "another worker has the partition"
        case .failed(let reason): "the database failed: \(reason)"
        }
    }

    /// Whether trying again changes nothing before somebody has acted.
    package var needsOperator: Bool {
        switch self {
        case .refused, .newer: true
        case .away, .full, .older, .fenced, .failed: false
        }
    }
}
