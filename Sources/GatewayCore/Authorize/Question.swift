/// A question to the backend about one client, as far as rules go: how it is spelled is the asker's affair.
package struct Question: Sendable {
    package enum Subject: Hashable, Sendable {
        case connect
        case join(RoomName)
        case publish(RoomName, payload: [UInt8])
    }

    package var subject: Subject
    /// Nil until somebody has named the user.
    package var userId: UserID?
    package var shown: Presented
    package var connectionId: String

    /// Whether the user is known to be the one: by a token that was checked, or since the client is in already. Others may
    /// claim any name.
    package var isCertain: Bool

    package init(
        _ subject: Subject, of userId: UserID?, isCertain: Bool = false, shown: Presented, connectionId: String
    ) {
        self.subject = subject
        self.userId = userId
        self.isCertain = isCertain
        self.shown = shown
        self.connectionId = connectionId
    }

    package var lane: QuestionLane {
        if isCertain, let userId { return .user(userId) }
        return .address(IPAddress(shown.address)?.counted.description ?? shown.address)
    }

    /// Whether nothing in it says whose it is: two clients behind one address may ask the same and be two users.
    package var isAnonymous: Bool { userId == nil && shown.token == nil && !shown.headers.tell }
}

/// In whose name a question takes places from others.
package enum QuestionLane: Hashable, Sendable {
    case user(UserID)
    /// As limits count addresses; empty where it is not known.
    case address(String)
}

/// What a client has shown of itself, kept for as long as its connection lives, since the backend may be asked again.
package final class Presented: Sendable {
    package struct Header: Hashable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package let token: String?
    /// Those that the settings pass on, by the names that they have there.
    package let headers: [Header]
    /// Empty where it is not known.
    package let address: String

    package init(token: String? = nil, headers: [Header], address: String) {
        self.token = token
        self.headers = headers
        self.address = address
    }

    /// The same client with another token.
    package func with(token: String?) -> Presented { Presented(token: token, headers: headers, address: address) }
}

extension [Presented.Header] {
    /// Whether there is something among them that may say whose they are.
    package var tell: Bool { contains { !["origin", "user-agent"].contains($0.name.lowercased()) } }
}

/// Asks the backend, or knows what it has said.
package protocol Authorizer: Sendable {
    /// The headers of a handshake that are passed on.
    var headerNames: [String] { get }

    /// Never throws: what went wrong is a ruling too.
    func ruling(on question: Question) async -> Ruling

    /// Whether the backend has wanted to be asked again about this user since that moment.
    func mustAskAgain(about user: UserID, since moment: MonotonicTime) -> Bool
}
