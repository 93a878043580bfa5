import GatewayCore

/// Who is there, and what one member tells another.
extension MartletClient {
    /// Members of a room, by the page; `cursor` is an earlier page's `next`.
    ///
    /// What changes follows as `presence` events. Of a room whose join is under way the page is asked for after it.
    public func members(
        of room: String, limit: Int = 100, cursor: String? = nil
    ) async throws(Failure) -> MemberPage {
        let name = try name(room)
        let command = ClientCommand.members(room: name, limit: limit, cursor: cursor)
        guard case .members(_, let room, let page) = try await ask(command, in: name) else { throw .disconnected }
        return MemberPage(room, page)
    }

    /// Begins to watch users, as many as the gateway's `limits.watched` and 100 in a frame, and answers how they are;
    /// `status` events follow as that changes, also on later connections.
    ///
    /// Where it throws, some may be watched.
    @discardableResult
    public func watch(_ users: [String]) async throws(Failure) -> [Status] {
        var told: [Status] = []
        for batch in batches(of: try names(users)) {
            guard case .watching(_, let statuses) = try await ask(.watch(users: batch)) else { throw .disconnected }
            told += statuses.map { Status($0) }
        }
        return told
    }

    /// Watches users no longer.
    public func unwatch(_ users: [String]) async throws(Failure) {
        let names = try names(users)
        let isAway = state.withLock { state in
            for name in names { state.watched[name] = nil }
            guard case .running = state.phase else { return false }
            return state.link == nil
        }
        // Without a connection it is enough not to begin again.
        if isAway { return }
        for batch in batches(of: names) { _ = try await ask(.unwatch(users: batch)) }
    }

    /// Tells one user something within a room that both have joined, such as an offer of WebRTC; it is not stored.
    ///
    /// - Parameter payload: one JSON value.
    public func signal(_ payload: [UInt8], to user: String, in room: String) async throws(Failure) {
        guard payload.withUnsafeBytes(MartletClient.isJSON) else { throw .invalid("payload: must be one JSON value") }
        guard let to = UserID(user) else { throw .invalid("to: not the name of a user") }
        _ = try await ask(.signal(to: to, room: try name(room), payload: payload))
    }

    /// Shows the members of a room, or of all rooms that this connection is in, something else of this user than the token
    /// says: one JSON object of 2,048 bytes at most, for as long as the session lasts. They are told by `presence` with
    /// `.updated`, at most once a second.
    public func show(_ info: [UInt8], in room: String? = nil) async throws(Failure) {
        guard info.withUnsafeBytes(MartletClient.isJSON) else { throw .invalid("info: must be one JSON object") }
        var name: RoomName?
        if let room { name = try self.name(room) }
        _ = try await ask(.presence(room: name, info: info), in: name)
    }

    /// What a user says of itself.
    public enum UserState: String, Sendable {
        /// Back; of a connection that was not away: to be seen again.
        case active
        /// The user is away when all connections are. Another connection is not until it says so.
        case away
        /// Others are told that the user is offline, and in no room, until it is `active` again.
        case invisible
    }

    /// Says how the user is; whoever watches them is told.
    public func setState(_ userState: UserState) async throws(Failure) {
        _ = try await ask(.state(GatewayCore.UserState(rawValue: userState.rawValue) ?? .active))
    }

    /// Credentials for the gateway's TURN servers, for a peer connection of WebRTC.
    ///
    /// - Throws: `refused` with `not_found` where the gateway has none.
    public func turnCredentials() async throws(Failure) -> TURNCredentials {
        guard case .turn(_, let credentials) = try await ask(.turn) else { throw .disconnected }
        return TURNCredentials(credentials)
    }

    private func names(_ users: [String]) throws(Failure) -> [UserID] {
        let names = users.compactMap { UserID($0) }
        guard names.count == users.count else { throw .invalid("users: not the name of a user") }
        return names
    }
}
