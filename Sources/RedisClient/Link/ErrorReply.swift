/// An error reply, told apart by its first word.
struct ErrorReply {
    enum Kind {
        /// The server cannot run commands for now, cannot write, or lacks a script: the link is broken off, and what
        /// has no answer goes again in its old order on the next one.
        case breaksLink
        /// The credentials are not good, or not any more: only an operator can mend it.
        case refusesUs
        /// The credentials are good, and their rights are not enough for this. What the link says first is needed for
        /// all; later it is for the caller alone, since other commands go on.
        case forbids
        /// For the caller alone.
        case failsCommand
    }

    let code: String
    let message: String

    init(_ text: String) {
        let end = text.firstIndex(of: " ") ?? text.endIndex
        code = String(text[..<end])
        message = String(text[end...].drop { $0 == " " })
    }

    var kind: Kind {
        switch code {
        case "LOADING", "MASTERDOWN", "BUSY", "READONLY", "NOSCRIPT": .breaksLink
        case "NOAUTH", "WRONGPASS", "DENIED": .refusesUs
        case "NOPERM": .forbids
        default: .failsCommand
        }
    }

    /// The codes by which a Cluster's server says that it has not run a command, since it has not, or not quite, the slot.
    static func isRedirection(_ code: String) -> Bool { ["MOVED", "ASK", "TRYAGAIN"].contains(code) }

    /// The code by which it says so since it sees too few of the others, or nobody has the slot.
    static let clusterDown = "CLUSTERDOWN"
}
