import Dialects
import GatewayCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension MartletClient {
    /// Joins a room on the present connection and on each later one; its messages follow among the `events`. What
    /// survives the lack of a connection is `room(_:since:)`.
    ///
    /// - Parameter since: what was seen of the room before, perhaps by an earlier process: what was missed since then
    ///   comes first, after a `gap` where some of it is lost.
    /// - Parameter last: without `since`, 1 to 100: so many of the newest messages come first, or as many as the log holds.
    @discardableResult
    public func join(_ room: String, since: Position? = nil, last: Int? = nil) async throws(Failure) -> Joined {
        let position = try MartletClient.start(since, last)
        guard case .joined(_, let joined) = try await ask(.join(room: try name(room), since: position)) else {
            throw .disconnected
        }
        return Joined(joined)
    }

    /// Leaves a room, and does not join it again by itself.
    public func leave(_ room: String) async throws(Failure) {
        let name = try name(room)
        let (isAway, waiting) = state.withLock { state in
            state.streams.unwanted(name)
            state.roomsToRejoin.removeAll { $0 == name }
            guard case .running = state.phase, state.link == nil else { return (false, [ClientState.Pending]()) }
            return (true, state.removeWaiting(for: name))
        }
        fail(waiting, with: .disconnected)
        // Without a connection it is enough not to come back.
        if isAway { return }
        _ = try await ask(.leave(room: name))
    }

    /// Up to where the room's messages were handed out, for `join` with `since` at another time; nil where it is not
    /// joined. Inboxes (`@user`) and everyone (`*`) have one too.
    public func position(of room: String) -> Position? {
        guard let name = RoomName(room) else { return nil }
        return state.withLock { $0.streams.position(of: name) }.map { Position($0) }
    }

    /// Stores a message in a room that was joined and sends it to its members.
    ///
    /// While the connection is away it waits, and where it breaks before the answer the message goes again, for
    /// `publishTimeout` in all; it is stored once. Messages go out no faster than the gateway takes them, and one that it
    /// finds to be too many goes again when it has said to.
    /// - Parameters:
    ///   - payload: one JSON value; it reaches the members byte for byte.
    ///   - event: the name of what it tells of, 1 to 200 characters; it stands beside the payload.
    ///   - echo: whether this connection is sent it as well; the history has it in any case.
    ///   - dedupe: 1 to 128 bytes; within two minutes a message under the same key is stored once. Without one the
    ///     client makes its own.
    @discardableResult
    public func publish(
        _ payload: [UInt8], to room: String, msgType: Int = 1, event: String? = nil, echo: Bool = true,
        dedupe: String? = nil
    ) async throws(Failure) -> Ack {
        let id = newID()
        var message = try message(payload, to: room, msgType: msgType, event: event, echo: echo)
        message.dedupe = dedupe ?? "\(dedupePrefix)-\(id)"
        guard case .ack(_, _, let published) = try await send(.message(message), to: message.room, id: id) else {
            throw .disconnected
        }
        return Ack(room: room, seq: published.position.seq, timestamp: published.timestamp)
    }

    /// Sends whoever is in a room now something that is not stored, such as that somebody is typing.
    ///
    /// It reaches each member at most once, has no number and stands in no history. It does not wait for a connection, and
    /// is never sent again. Parameters as of ``publish(_:to:msgType:event:echo:dedupe:)``.
    public func sendVolatile(
        _ payload: [UInt8], to room: String, msgType: Int = 1, event: String? = nil, echo: Bool = true
    ) async throws(Failure) {
        var message = try message(payload, to: room, msgType: msgType, event: event, echo: echo)
        message.isVolatile = true
        _ = try await ask(.message(message), in: message.room)
    }

    private func message(
        _ payload: [UInt8], to room: String, msgType: Int, event: String?, echo: Bool
    ) throws(Failure) -> MessageCommand {
        guard payload.withUnsafeBytes(MartletClient.isJSON) else { throw .invalid("payload: must be one JSON value") }
        var message = MessageCommand(room: try name(room), msgType: msgType, payload: payload)
        if let event {
            guard let name = EventName(event) else { throw .invalid("event: \(EventName.rule)") }
            message.event = name
        }
        message.echo = echo
        return message
    }

    /// Stores a value as JSON in a room that was joined and sends it to its members.
    @discardableResult
    public func publish(
        encoding value: some Encodable, to room: String, msgType: Int = 1, event: String? = nil, echo: Bool = true,
        dedupe: String? = nil
    ) async throws(Failure) -> Ack {
        let payload = try MartletClient.json(value, JSONEncoder())
        return try await publish(payload, to: room, msgType: msgType, event: event, echo: echo, dedupe: dedupe)
    }

    /// Reads part of a room's log, 1,000 messages at most; of a room whose join is under way, after it.
    public func history(of room: String, _ edge: Edge = .newest, limit: Int = 50) async throws(Failure) -> Page {
        let range =
            switch edge {
            case .newest: HistoryRange(edge: .newest, limit: limit)
            case .before(let seq): HistoryRange(edge: .before(seq), limit: limit)
            case .after(let seq): HistoryRange(edge: .after(seq), limit: limit)
            }
        let name = try name(room)
        guard case .history(_, let page) = try await ask(.history(room: name, range: range), in: name) else {
            throw .disconnected
        }
        let messages = page.messages.map { Message($0, position: Position($0.position)) }
        return Page(
            room: room, epoch: page.head.epoch, messages: messages, more: page.more,
            isArchiveAway: page.isArchiveAway)
    }

    /// Shows a fresh token on the living connection; answers when it expires, in milliseconds since 1970, where it
    /// does. A guest has none to follow: whoever has become a user connects as one (`invalid`).
    @discardableResult
    public func authenticate(_ token: String) async throws(Failure) -> Int64? {
        if case .guest = configuration.credentials {
            throw .invalid("a guest has no token; connect with the credentials .token")
        }
        guard case .authenticated(_, let expires) = try await ask(.auth(token: token)) else { throw .disconnected }
        state.withLock { $0.token = token }
        askAgain()
        return expires
    }

    /// Asks the gateway for a sign of life; answers how long it took.
    @discardableResult
    public func ping() async throws(Failure) -> Duration {
        let start = ContinuousClock.now
        _ = try await ask(.ping)
        return start.duration(to: .now)
    }

    // MARK: Checks

    func name(_ room: String) throws(Failure) -> RoomName {
        guard let name = RoomName(room) else { throw .invalid("room: not the name of a room") }
        return name
    }

    /// From where a room is joined.
    static func start(_ since: Position?, _ last: Int?) throws(Failure) -> ClientPosition? {
        guard since == nil, let last else { return since.map { ClientPosition($0) } }
        guard (1...100).contains(last) else { throw .invalid("last: must be 1 to 100") }
        return .last(last)
    }

    static func isJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner(bytes)
        do throws(JSONError) {
            _ = try scanner.value()
            try scanner.end()
            return true
        } catch {
            return false
        }
    }
}
