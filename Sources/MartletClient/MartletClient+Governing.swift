import GatewayCore

/// Rooms with settings, roles and a host.
extension MartletClient {
    /// Something that has changed in a governed room.
    public struct RoomChange: Hashable, Sendable {
        /// What it is about.
        public enum Kind: Hashable, Sendable {
            /// As the room was joined.
            case joined(role: String?)
            /// Settings that hold from here on.
            case updated
            /// The gateway's store has lost settings that were told: these hold, whatever version was known.
            case restored
            case role(user: String, role: String)
            /// Who has the host's chair.
            case host(user: String)
            /// Until then, in milliseconds since 1970; nil: without end.
            case muted(user: String, until: Int64?)
            case unmuted(user: String)
            /// This client is out of the room.
            case removed(reason: String?)
            /// The room was closed, and this client is out of it.
            case closed
        }

        /// Where it is.
        public var room: String
        /// What has changed.
        public var kind: Kind
        /// Of the room; it grows by one with each change. 0 where it is not told.
        public var version: Int64
        /// The settings where they are told, a JSON object.
        public var settings: [UInt8]?
        /// The user's own role, where settings are told to this client alone: as a room is joined, and as it goes on after
        /// a break.
        public var ownRole: String?

        init(_ joined: GatewayCore.Joined, _ state: RoomState) {
            room = joined.room.string
            kind = .joined(role: joined.role?.string)
            ownRole = joined.role?.string
            version = state.version
            settings = state.settings
        }

        init(_ change: GatewayCore.RoomChange) {
            room = change.room.string
            version = change.state.version
            let user = change.userId?.string ?? ""
            switch change.event {
            case .updated: kind = .updated
            case .restored: kind = .restored
            case .closed: kind = .closed
            case .removed: kind = .removed(reason: change.reason)
            case .role: kind = .role(user: user, role: change.role?.string ?? "member")
            case .host: kind = .host(user: user)
            case .muted: kind = .muted(user: user, until: change.until)
            case .unmuted: kind = .unmuted(user: user)
            }
            settings = change.event == .updated || change.event == .restored ? change.state.settings : nil
            if settings != nil { ownRole = change.role?.string }
        }
    }

    /// What those may ask whose role in a room has the right.
    public enum Order: Hashable, Sendable {
        /// Gives a role; `host` moves the chair, to one who is in the room.
        case role(String)
        /// Until then, in milliseconds since 1970; nil: without end.
        case mute(until: Int64? = nil)
        case unmute
        case ban(until: Int64? = nil, reason: String = "")
        case unban
        case remove(reason: String = "")
    }

    /// Asks something about a user in a room that was joined; answers the room's version by then. It is not asked again
    /// where the answer is lost.
    ///
    /// - Throws: `refused` with `forbidden` where the role does not allow it.
    @discardableResult
    public func order(_ order: Order, _ user: String, in room: String) async throws(Failure) -> Int64 {
        guard let name = UserID(user) else { throw .invalid("user: not the name of a user") }
        let (act, reason): (RoomOrder.Act, String)
        switch order {
        case .role(let role):
            guard let role = RoleName(role) else { throw .invalid("role: not the name of a role") }
            (act, reason) = (.role(role), "")
        case .mute(let until): (act, reason) = (.mute(until: until), "")
        case .unmute: (act, reason) = (.unmute, "")
        case .ban(let until, let why): (act, reason) = (.ban(until: until), why)
        case .unban: (act, reason) = (.unban, "")
        case .remove(let why): (act, reason) = (.remove, why)
        }
        let command = ClientCommand.order(RoomOrder(act, name, in: try self.name(room), reason: reason))
        return try await carryOut(command)
    }

    /// Takes the payload of a room's message away, wherever it is kept, where the role has the right `moderate`; answers the
    /// room's version. Again it changes nothing.
    ///
    /// - Parameters:
    ///   - seq: of the message.
    ///   - epoch: of which epoch that is; nil for those that the room's present count runs through.
    @discardableResult
    public func redact(_ seq: Int, epoch: String? = nil, in room: String) async throws(Failure) -> Int64 {
        guard seq > 0 else { throw .invalid("seq: must be 1 or more") }
        return try await carryOut(.redact(room: try name(room), seq: seq, epoch: epoch))
    }

    private func carryOut(_ command: ClientCommand) async throws(Failure) -> Int64 {
        guard case .ordered(_, _, let version) = try await ask(command) else { throw .disconnected }
        return version
    }
}

extension MartletClient.Room {
    /// Asks something about a user in the room, as `MartletClient.order(_:_:in:)` does.
    @discardableResult
    public func order(_ order: MartletClient.Order, _ user: String) async throws(MartletClient.Failure) -> Int64 {
        try await client.order(order, user, in: id)
    }

    /// Takes the payload of a message of the room away, as `MartletClient.redact(_:epoch:in:)` does.
    @discardableResult
    public func redact(_ seq: Int, epoch: String? = nil) async throws(MartletClient.Failure) -> Int64 {
        try await client.redact(seq, epoch: epoch, in: id)
    }
}
