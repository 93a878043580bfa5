import Hummingbird
import NIOHTTP1

/// The requests that backends send most, in the spelling in which they mostly come; every other spelling of them, and all
/// else, is the library's, and is answered the same.
enum HotRoute: Hashable, Sendable {
    case broadcast
    case broadcastBatch
    case usersQuery
    /// The user's name needs no decoding.
    case user(String)

    init?(_ head: HTTPRequestHead) {
        switch (head.method, head.uri) {
        case (.POST, "/v1/broadcast"): self = .broadcast
        case (.POST, "/v1/broadcast/batch"): self = .broadcastBatch
        case (.POST, "/v1/users/query"): self = .usersQuery
        case (.GET, let path) where path.hasPrefix(HotRoute.users) && !head.announcesBody:
            let name = path.utf8.dropFirst(HotRoute.users.utf8.count)
            guard !name.isEmpty, name.allSatisfy(HotRoute.isPlain) else { return nil }
            self = .user(String(Substring(name)))
        case _: return nil
        }
    }

    var route: Route {
        switch self {
        case .broadcast: .broadcast
        case .broadcastBatch: .broadcastBatch
        case .usersQuery: .usersQuery
        case .user(let name): .user(name)
        }
    }

    var method: HTTPRequest.Method {
        switch self {
        case .broadcast, .broadcastBatch, .usersQuery: .post
        case .user: .get
        }
    }

    private static let users = "/v1/users/"

    /// What stands for itself in a path (RFC 3986, section 2.3).
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        case _: false
        }
    }
}
