/// One argument of a command.
package enum RedisArgument: Sendable, Hashable {
    case bytes([UInt8])
    case string(String)
    case integer(Int64)
    /// Filled in when the command is written: the token of the server at the other end of that connection, see `ServerID`.
    case server
    /// Filled in when the command is written: `0` at first, `1` when it is sent again after a break.
    case attempt
    /// Filled in when the command is written: the `CLIENT ID` of that connection, another one after each break.
    case connection
    /// Filled in when the command is written: this name and, behind it, the command's number on its link. Numbers grow
    /// in the order in which the link sends, and a command that is sent again keeps its own.
    case numbered(String)
}

extension RedisArgument: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    package init(stringLiteral value: String) {
        self = .string(value)
    }

    package init(integerLiteral value: Int64) {
        self = .integer(value)
    }
}

extension RedisArgument {
    /// About how many bytes it takes on the wire, for the bound of the queue.
    var estimatedBytes: Int {
        switch self {
        case .bytes(let bytes): bytes.count + 16
        case .string(let string): string.utf8.count + 16
        case .integer: 24
        case .server: 80
        case .attempt: 8
        case .connection: 24
        case .numbered(let name): name.utf8.count + 36
        }
    }
}
