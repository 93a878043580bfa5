/// The backend's answer, or that there is none.
package enum Ruling: Hashable, Sendable {
    case allowed(Grant)
    case denied(Denial)
    /// Nobody answered in time, or with anything that counts; `isPassed` where the settings then let pass whoever is known.
    case failed(isPassed: Bool)
}

/// What comes with a yes.
package struct Grant: Hashable, Sendable {
    /// Whom the client is; nil where that was known, and the answer says nothing of it.
    package var userId: UserID?
    /// What others are shown of the user, a JSON object; nil where the answer says nothing of it.
    package var info: [UInt8]?
    /// What may be done where; nil where the answer says nothing of it.
    package var rooms: RoomGrants?
    /// Rooms that are joined at once.
    package var joins: [RoomName]
    /// The end of what is granted, by a clock that no step of the wall's moves.
    package var endsAt: MonotonicTime?

    package init(
        userId: UserID? = nil, info: [UInt8]? = nil, rooms: RoomGrants? = nil, joins: [RoomName] = [],
        endsAt: MonotonicTime? = nil
    ) {
        self.userId = userId
        self.info = info
        self.rooms = rooms
        self.joins = joins
        self.endsAt = endsAt
    }
}

/// A no, as it is told to the client.
package struct Denial: Hashable, Sendable {
    package enum Code: String, Sendable, CaseIterable {
        case forbidden, unauthorized
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String? = nil) {
        self.code = code
        self.message = message ?? (code == .forbidden ? "the backend does not allow it" : "unauthorized")
    }

    /// What a connection is closed with.
    package var reason: CloseReason { code == .forbidden ? .forbidden : .unauthorized }

    /// What a request is answered with.
    package var request: RequestError {
        RequestError(code == .forbidden ? .forbidden : .unauthorized, message)
    }

    /// Where nobody answered.
    package static let unavailable = RequestError(.unavailable, "the backend does not answer")
}

/// What a connection has of the backend's word, beside what its token says. One for all connections that share an answer.
package final class Given: Sendable {
    package let info: [UInt8]?
    package let rooms: RoomGrants?
    package let joins: [RoomName]
    package let endsAt: MonotonicTime?

    package init(_ grant: Grant) {
        (info, rooms, joins, endsAt) = (grant.info, grant.rooms, grant.joins, grant.endsAt)
    }
}
