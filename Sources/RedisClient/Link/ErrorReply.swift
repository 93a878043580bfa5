/// An error reply, told apart by its first word.
struct ErrorReply {
    enum Kind {
        /// The server cannot run commands for now, cannot write, or lacks a script: the link is broken off, and what
        /// has no answer goes again in its old order on the next one.
        case breaksLink
        /// The credentials or their rights are not enough: only an operator can mend it.
        case refusesUs
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
        case "LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "READONLY", "NOSCRIPT": .breaksLink
        case "NOAUTH", "WRONGPASS", "NOPERM", "DENIED": .refusesUs
        default: .failsCommand
        }
    }
}
