import GatewayCore

extension MartletClient {
    /// A room for as long as somebody holds it: joined on every connection, its stream going on where it was.
    ///
    /// `MartletClient.room(_:since:)` makes one. The room is joined while a handle of it is kept, or a sequence that one
    /// has given; it is left with the last of them, or by `leave()`. A room that is refused is asked for again with
    /// each new connection or token. All may be called from any task or thread.
    public final class Room: Sendable {
        /// What a reader of messages gets.
        public enum Item: Hashable, Sendable {
            case message(Message)
            /// Something is lost, at the gateway or since this reader fell behind, so load your state anew; it goes on
            /// after this position.
            case gap(after: Position)
        }

        /// What a reader of presence gets.
        public enum Change: Hashable, Sendable {
            /// Users have come or left, or are shown otherwise.
            case presence(Presence)
            /// Some may have come and left unseen: ask for the members.
            case gap
        }

        /// Whether the room is there.
        public enum State: Hashable, Sendable {
            /// To be joined, as soon as there is a connection.
            case joining
            /// Messages come, and may be published.
            case joined
            /// By the gateway, by `leave()`, or since the client has ended.
            case refused(Failure)
        }

        /// The room's name.
        public let id: String
        let name: RoomName
        let client: MartletClient
        let readers: RoomReaders

        init(_ name: RoomName, of client: MartletClient) {
            id = name.string
            self.name = name
            self.client = client
            readers = RoomReaders(limit: client.configuration.readerLimit)
        }

        deinit {
            if readers.leave() { client.release(name, readers) }
        }

        // MARK: Reading

        /// What comes from here on. Each access is a reader of its own, to be read by one loop; it ends when the room is
        /// left or refused, or the client ends. Who falls behind by `readerLimit` is told so by a `gap`, and gets the
        /// latest.
        public var messages: Feed<Item> {
            let (id, reader) = readers.readMessages()
            return feed(id, reader)
        }

        /// Who comes and goes from here on, read as `messages` are; a `gap` after each outage too.
        public var presence: Feed<Change> {
            let (id, reader) = readers.readChanges()
            return feed(id, reader)
        }

        /// Who is in the room, by their user ids: the whole list, as soon as it is known and whenever it changes. A slow
        /// reader gets the latest list. It never comes where the room keeps no presence.
        ///
        /// Of a user who came or changed meanwhile `connections` is the number last read, 1 at first.
        public var members: Feed<[Member]> {
            let (id, reader) = readers.readMembers()
            client.readRoster(for: self, reader)
            return feed(id, reader)
        }

        /// What changes in a governed room from here on, and what holds as it is joined again. A slow reader gets the latest.
        public var governing: Feed<RoomChange> {
            let (id, reader) = readers.readGoverning()
            return feed(id, reader)
        }

        private func feed<Element>(_ id: Int, _ reader: Reader<Element>) -> Feed<Element> {
            if case .refused = state { reader.finish() }
            return Feed(reading: Reading(id, reader, of: self))
        }

        // MARK: The room

        /// As of this moment.
        public var state: State { client.state(of: self) }

        /// Up to where its messages were handed out; nil before it was joined. With it `room(_:since:)` goes on, in
        /// another process as well.
        public var position: Position? { client.position(of: id) }

        /// Waits until the room is there, however many connections that takes; at once where it is.
        ///
        /// - Throws: what it was refused with; `closed` where it was left.
        public func joined() async throws(Failure) { try await client.joined(self) }

        /// Stores a message and sends it to the members; while the room is not there it waits, as
        /// `MartletClient.publish(_:to:msgType:dedupe:)` says.
        ///
        /// - Parameters:
        ///   - payload: one JSON value; it reaches the members byte for byte.
        ///   - dedupe: 1 to 128 bytes; within two minutes a message under the same key is stored once.
        @discardableResult
        public func publish(
            _ payload: [UInt8], msgType: Int = 1, event: String? = nil, echo: Bool = true, dedupe: String? = nil
        ) async throws(Failure) -> Ack {
            try check()
            return try await client.publish(
                payload, to: id, msgType: msgType, event: event, echo: echo, dedupe: dedupe)
        }

        /// Sends whoever is in the room now something that is not stored, such as that somebody is typing; at most once.
        public func sendVolatile(
            _ payload: [UInt8], msgType: Int = 1, event: String? = nil, echo: Bool = true
        ) async throws(Failure) {
            try check()
            try await client.sendVolatile(payload, to: id, msgType: msgType, event: event, echo: echo)
        }

        /// Tells one other member something that is not stored, such as an offer of WebRTC.
        ///
        /// - Parameter payload: one JSON value.
        public func signal(_ payload: [UInt8], to user: String) async throws(Failure) {
            try check()
            try await client.signal(payload, to: user, in: id)
        }

        /// Part of the log, oldest first, 1,000 messages at most; a room that is to be joined is waited for.
        public func history(_ edge: Edge = .newest, limit: Int = 50) async throws(Failure) -> Page {
            try check()
            // Who may not join may be allowed to read all the same.
            if case .joining = state { try? await joined() }
            return try await client.history(of: id, edge, limit: limit)
        }

        /// Ends what this handle reads. With the last handle the room is left, and the gateway's answer waited for where
        /// there is a connection.
        public func leave() async {
            if readers.leave() { await client.leave(name, readers) }
        }

        private func check() throws(Failure) {
            if readers.isLeft { throw .closed }
        }
    }
}
