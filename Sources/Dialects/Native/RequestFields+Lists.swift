import GatewayCore

/// The fields of a request that hold more than one value: positions and users.
extension RequestFields {
    /// A thousand rooms, five times what a session may have by default, and with them the user's inbox and `*`.
    private static let maxPositions = 1002
    private static let maxEpochBytes = 128
    /// Messages that a `join` may ask for by their number.
    private static let lastLimits = 1...100
    private static let maxUsers = 1000
    private static let maxPositionFields = 16

    /// A `join`'s `since` or `last`, nil where it has neither.
    func position() throws(RequestError) -> ClientPosition? {
        switch (since, last) {
        case (nil, nil): return nil
        case (let since?, nil): return try RequestFields.position(since)
        case (nil, let last?): return .last(try RequestFields.integer(last, within: RequestFields.lastLimits, "last"))
        case (_?, _?): throw RequestError(.badRequest, "last: cannot be given together with since")
        }
    }

    /// A `resume`'s `since`: positions by room, each room once.
    func positions() throws(RequestError) -> [RoomName: ClientPosition] {
        guard let since else { throw RequestError(.badRequest, "since: missing") }
        guard let fields = since.fields(upTo: RequestFields.maxPositions) else {
            throw RequestError(.badRequest, "since: must be an object")
        }
        guard fields.count <= RequestFields.maxPositions else {
            throw RequestError(.badRequest, "since: more than \(RequestFields.maxPositions) rooms")
        }
        var positions: [RoomName: ClientPosition] = [:]
        for (key, value) in fields {
            guard let room = key.text.flatMap({ RoomName($0) }) else {
                throw RequestError(.badRequest, "since: not the name of a room")
            }
            let position = try RequestFields.position(value)
            guard positions.updateValue(position, forKey: room) == nil else {
                throw RequestError(.badRequest, "since: a room given twice")
            }
        }
        return positions
    }

    /// Whom to watch or no longer to watch, in the order given.
    func userList() throws(RequestError) -> [UserID] {
        guard let users else { throw RequestError(.badRequest, "users: missing") }
        guard let elements = users.elements(upTo: RequestFields.maxUsers) else {
            throw RequestError(.badRequest, "users: must be an array")
        }
        guard (1...RequestFields.maxUsers).contains(elements.count) else {
            throw RequestError(.badRequest, "users: must be 1 to \(RequestFields.maxUsers)")
        }
        var names: [UserID] = []
        names.reserveCapacity(elements.count)
        for element in elements {
            guard let user = element.string?.text.flatMap({ UserID($0) }) else {
                throw RequestError(.badRequest, "users: not the name of a user")
            }
            names.append(user)
        }
        return names
    }

    /// The user a signal is for.
    func addressee() throws(RequestError) -> UserID {
        guard let user = UserID(try RequestFields.text(of: to, "to")) else {
            throw RequestError(.badRequest, "to: not the name of a user")
        }
        return user
    }

    /// `{"epoch":"e","seq":41}`, the epoch perhaps left out; as everywhere a field given twice is refused.
    private static func position(_ value: JSONValue) throws(RequestError) -> ClientPosition {
        guard let fields = value.fields(upTo: maxPositionFields) else {
            throw RequestError(.badRequest, "since: must be an object with epoch and seq")
        }
        guard fields.count <= maxPositionFields else {
            throw RequestError(.badRequest, "since: more than \(maxPositionFields) fields")
        }
        var epoch: JSONValue?
        var seq: JSONValue?
        for (key, value) in fields {
            if key.equals("epoch"), !fill(&epoch, with: value) {
                throw RequestError(.badRequest, "since.epoch: given twice")
            }
            if key.equals("seq"), !fill(&seq, with: value) {
                throw RequestError(.badRequest, "since.seq: given twice")
            }
        }
        guard let seq else { throw RequestError(.badRequest, "since.seq: missing") }
        let number = try integer(seq, within: 0...Int.max, "since.seq")
        guard epoch != nil else { return ClientPosition(epoch: nil, seq: number) }
        let name = try text(of: epoch, "since.epoch")
        guard name.utf8.count <= maxEpochBytes else {
            throw RequestError(.badRequest, "since.epoch: longer than \(maxEpochBytes) bytes")
        }
        return ClientPosition(epoch: name, seq: number)
    }
}
