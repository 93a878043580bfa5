import Dialects
import GatewayCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import WebSocketFrames

/// All connections of one event loop and the rooms they are in.
///
/// `@unchecked Sendable`: the mailbox is behind a mutex, everything mutable beside it is touched on `eventLoop` alone,
/// which each door checks.
package final class Hub: StreamSink, @unchecked Sendable {
    let eventLoop: any EventLoop
    private let surroundings: HubSurroundings
    private let mailbox = Mutex(Mailbox())

    // Loop-local from here on.
    private var number: HubNumber = 0
    var rooms: [RoomName: HubRoom] = [:]
    var tickets: [FollowTicket: SocketHandler] = [:]
    private var nextTicket: FollowTicket = 0
    private var nextConnection: ConnectionNumber = 0
    private(set) var heartbeat: Heartbeat
    private var supervised = SupervisedList()
    /// Connections that have been written to and not flushed.
    private var dirty: [SocketHandler] = []
    /// Rooms with something in `outgoing`.
    var sending: [HubRoom] = []
    private var retrying: [(connection: SocketHandler, room: RoomName)] = []
    private var ticking: RepeatedTask?
    private let dialect = NativeDialect()
    private var scratch: [UInt8] = []
    private var framesIn = 0
    private var bytesOut = 0
    var messagesDelivered = 0

    package init(eventLoop: any EventLoop, surroundings: HubSurroundings) {
        self.eventLoop = eventLoop
        self.surroundings = surroundings
        heartbeat = Heartbeat(interval: surroundings.configuration.heartbeatInterval)
    }

    var configuration: SocketServerConfiguration { surroundings.configuration }
    var settings: SessionSettings { surroundings.settings }
    var census: Census { surroundings.census }
    var metrics: SocketMetrics { surroundings.metrics }
    var log: any MessageLog { surroundings.log }
    var logger: Logger { surroundings.logger }
    private var streams: any RoomStreams { surroundings.streams }
    var now: MonotonicTime { surroundings.clocks.monotonic() }
    var wallMilliseconds: Int64 { surroundings.clocks.wall() }

    // MARK: Life

    /// Makes the hub known to the streams and begins to tick; before the first connection.
    package func start() {
        eventLoop.preconditionInEventLoop()
        number = streams.open(self)
        let tick = TimeAmount.nanoseconds(heartbeat.tick.nanoseconds)
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { [weak self] _ in self?.tick() }
    }

    /// After the last connection.
    package func stop() {
        eventLoop.preconditionInEventLoop()
        ticking?.cancel()
        ticking = nil
    }

    /// Sends home, from this loop, all who know what `reconnect` means, each `step` later than the one before.
    package func drain(first: Int, step: Int, perSecond: Int) {
        eventLoop.preconditionInEventLoop()
        for (index, connection) in Array(heartbeat.connections).enumerated() {
            connection.drain(afterMilliseconds: (first + index * step) * 1000 / max(1, perSecond))
        }
        flush()
    }

    /// Closes whoever is left.
    package func closeAll(_ reason: CloseReason) {
        eventLoop.preconditionInEventLoop()
        for connection in Array(heartbeat.connections) { connection.close(reason, text: reason.text) }
        flush()
    }

    /// Ends all sockets of this loop without another word.
    package func cutAll() {
        eventLoop.preconditionInEventLoop()
        for connection in Array(heartbeat.connections) { connection.cut() }
        for item in supervised.items { item.cut() }
    }

    // MARK: Connections

    /// Takes a fresh connection of this loop, which begins with a handshake.
    package func accept(_ channel: any Channel) throws {
        eventLoop.preconditionInEventLoop()
        guard census.socketOpened() else {
            metrics.refuse(.full)
            throw TooManySockets()
        }
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = configuration.maxHeaderBytes
        limits.maxHeaderListSize = configuration.maxHeaderBytes
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        let pipeline = channel.pipeline.syncOperations
        do {
            try pipeline.addHandler(ByteToMessageHandler(decoder))
            try pipeline.addHandler(HandshakeHandler(hub: self, rules: surroundings.rules))
        } catch {
            // The channel has gone already, and with it the handler that would have counted it out.
            census.socketClosed()
            throw error
        }
    }

    /// There is not even room to tell a client so.
    private struct TooManySockets: Error {}

    func nextNumber() -> ConnectionNumber {
        eventLoop.assertInEventLoop()
        nextConnection += 1
        return nextConnection
    }

    /// Begins to ping a connection.
    func add(_ connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        heartbeat.insert(connection)
    }

    func remove(_ connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        heartbeat.remove(connection)
        unsupervise(connection)
    }

    func supervise(_ item: any Supervised) {
        eventLoop.assertInEventLoop()
        supervised.insert(item)
    }

    func unsupervise(_ item: any Supervised) {
        eventLoop.assertInEventLoop()
        supervised.remove(item)
    }

    // MARK: Time

    /// One step of the heartbeat, and a look at everything whose end is near.
    private func tick() {
        let now = now
        let wallMilliseconds = wallMilliseconds
        for connection in heartbeat.next() { connection.visit(now: now, wallMilliseconds: wallMilliseconds) }
        for item in supervised.items { item.check(now: now, wallMilliseconds: wallMilliseconds) }
        let again = retrying
        retrying = []
        for (connection, room) in again { connection.follow(room) }
        flush()
        record()
    }

    private func record() {
        metrics.framesIn.increment(by: framesIn)
        metrics.bytesOut.increment(by: bytesOut)
        metrics.messagesDelivered.increment(by: messagesDelivered)
        metrics.connections.record(census.status.connections)
        (framesIn, bytesOut, messagesDelivered) = (0, 0, 0)
    }

    // MARK: Mail

    package func receive(_ deliveries: [StreamDelivery]) {
        post(.deliveries(deliveries))
    }

    /// Any thread.
    func post(_ letter: Letter) {
        let (mustWake, givenUp) = mailbox.withLock { $0.put(letter) }
        if givenUp > 0 {
            metrics.messagesGivenUp.increment(by: givenUp)
            logger.warning(
                "event loop too far behind, messages replaced by a gap", metadata: ["messages": "\(givenUp)"])
        }
        if mustWake { eventLoop.execute { self.openMail() } }
    }

    private func openMail() {
        for letter in mailbox.withLock({ $0.takeAll() }) {
            switch letter {
            case .deliveries(let deliveries): for delivery in deliveries { take(delivery) }
            case .published(let connection, let id, let room, let result):
                connection.publishAnswered(id: id, room: room, result)
            case .history(let connection, let id, let range, let result):
                connection.historyAnswered(id: id, range: range, result)
            case .verified(let connection, let result): connection.verified(result)
            }
        }
        sendAll()
        flush()
    }

    // MARK: Following

    /// Asks for a room's stream for one more listener.
    func follow(_ room: RoomName, for connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        let hubRoom = rooms[room] ?? open(room)
        nextTicket += 1
        hubRoom.pending[connection.number] = nextTicket
        tickets[nextTicket] = connection
        streams.follow(room, ticket: nextTicket, hub: number)
    }

    /// The same at the next tick.
    func followLater(_ room: RoomName, for connection: SocketHandler) {
        retrying.append((connection, room))
    }

    /// Forgets a listener, live or pending; the last one takes the room along.
    func leave(_ room: RoomName, _ connection: SocketHandler) {
        eventLoop.assertInEventLoop()
        guard let hubRoom = rooms[room] else { return }
        if let ticket = hubRoom.pending.removeValue(forKey: connection.number) { tickets[ticket] = nil }
        hubRoom.remove(connection.number)
        closeIfEmpty(hubRoom)
    }

    private func open(_ room: RoomName) -> HubRoom {
        let hubRoom = HubRoom(name: room)
        rooms[room] = hubRoom
        census.roomOpened(room)
        return hubRoom
    }

    func closeIfEmpty(_ hubRoom: HubRoom) {
        guard hubRoom.isEmpty, rooms[hubRoom.name] === hubRoom else { return }
        rooms[hubRoom.name] = nil
        streams.unfollow(hubRoom.name, hub: number)
        census.roomClosed(hubRoom.name)
    }

    // MARK: Frames

    /// Reads a text frame.
    func decode(_ frame: ByteBuffer) -> Result<ClientRequest, MalformedRequest> {
        frame.withUnsafeReadableBytes { dialect.decode($0) }
    }

    /// Appends an event as a finished frame.
    func write(_ event: ServerEvent, into buffer: inout ByteBuffer) {
        scratch.removeAll(keepingCapacity: scratch.capacity <= 1 << 17)
        dialect.encode(event, into: &scratch)
        FrameEncoder.text(scratch, into: &buffer)
    }

    /// An event as a finished frame.
    func frame(_ event: ServerEvent) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(event, into: &buffer)
        return buffer
    }

    func countFrame() { framesIn += 1 }

    /// Notes that a connection has been written to: it is flushed at the end of the turn.
    func markDirty(_ connection: SocketHandler) { dirty.append(connection) }

    func countBytesOut(_ count: Int) { bytesOut += count }

    /// One flush for each connection that was written to in this turn.
    func flush() {
        while !dirty.isEmpty {
            let connections = dirty
            dirty = []
            for connection in connections { connection.flushIfDirty() }
        }
    }
}
