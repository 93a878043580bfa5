import Dialects
import GatewayCore
import NIOCore
import Synchronization
import WebSocketFrames

/// One client's WebSocket: frames in, the session's actions out.
///
/// It has no task, lock, timer or promise of its own: its hub looks after its deadlines and flushes. When more waits for
/// the client to read it than NIO's high-water mark, its rooms are fed from the log at the pace at which it reads.
///
/// `@unchecked Sendable`, so that answers from other threads can name it: everything in it but `number` is touched on the
/// hub's event loop alone.
final class SocketHandler: ChannelInboundHandler, Supervised, CatchingUp, Parkable, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case open
        /// A close frame is on its way; the connection is cut at this moment.
        case closing(cutAt: MonotonicTime)
        case ended
    }

    // First what each delivery touches, so that it lies together; then small ones where others leave a gap.
    var context: ChannelHandlerContext?
    /// Frames of this turn on their way past the channel, at its end; first the answer to the handshake.
    var held: ByteBuffer?
    /// The socket itself; nil unless nothing of ours waits in the channel.
    var descriptor: CInt?
    /// Whether the hub flushes it at the end of the turn.
    var isDirty = false
    /// Whether the answer to the handshake has not been let go: it goes with the first frame, or at the next tick.
    var holdsAnswer = true
    /// Whether anything but pings may wait at the system for the client to take it.
    var mayBeUntaken = false
    var phase = Phase.open
    /// Whether messages may be compressed, in both directions.
    let isCompressing: Bool
    /// Whether anything came since the last visit.
    var isHeard = true
    var unansweredPings: UInt8 = 0
    let hub: Hub
    /// What its client speaks; nil for the gateway's own.
    let dialect: (any Dialect & AnyObject)?
    let number: ConnectionNumber
    /// When the socket was accepted, or a guest showed a token.
    var began: MonotonicTime
    let id: ConnectionID
    /// What it counts as; a stranger's until somebody is let in.
    var slot: Slot
    var decoder: FrameDecoder
    var machine: SessionMachine
    /// Its place in the heartbeat's slice.
    var sliceIndex: Int32 = 0
    /// Of a message that has come in part, and of what waits for its turn.
    var halfMessageBytes: Int32 = 0
    /// Of frames in its socket that are larger than what may wait there, and few.
    var bulkBytes: Int32 = 0
    var supervisedIndex: Int?
    var isCounted = false
    /// What it counts as; also where its app is none, so that nothing is spoken with it.
    var spoken = ClientDialect.native
    /// Whether it is one of those that its app has on this node.
    var isOfApp = false
    /// Whether, while nobody has been let in, the latest question about it has been put to the backend.
    var isAskedAbout = false
    /// Ticks in a row at which half a message was there, while nobody has been let in.
    var halfMessageTicks: UInt16 = 0
    /// Of its messages that Redis has not answered; answers come on any thread.
    let unansweredBytes = Atomic<Int32>(0)
    var budget: ConnectionBudget
    /// Nil unless what has been read has to wait.
    var unread: Unread?
    /// Nil while nothing that it missed has to be sent.
    private(set) var catchUp: CatchUp<SocketHandler, HubRoom>?
    /// Nil while nothing is known to wait for the client.
    var slow: SlowSocket?
    /// What the backend is told of the client; nil where there is none that is asked.
    var shown: Presented?
    /// Of what it missed: held for it, or asked for.
    private(set) var missedBytes = 0

    /// - Parameters:
    ///   - answer: what the client is told of its handshake.
    ///   - app: whose client it is; nil where it speaks the gateway's own dialect.
    init(
        hub: Hub, slot: Slot, answer: ByteBuffer, isCompressing: Bool, began: MonotonicTime, app: PusherApp? = nil
    ) {
        held = answer
        self.hub = hub
        self.slot = slot
        self.isCompressing = isCompressing
        self.began = began
        decoder = FrameDecoder(
            role: .server, maxMessageBytes: hub.configuration.maxMessageBytes, takesCompressed: isCompressing)
        let now = hub.now
        machine = SessionMachine(settings: hub.settings, now: now)
        budget = ConnectionBudget(now: now)
        number = hub.nextNumber()
        let id = hub.heartbeat.name(for: number)
        self.id = id
        dialect = app.map { PusherDialect(app: $0, socketID: id.socketID) }
    }

    var address: IPAddress? { slot.address }

    var isOpen: Bool {
        if case .open = phase { return true }
        return false
    }

    // MARK: What it missed

    func beginCatchUp() -> CatchUp<SocketHandler, HubRoom> {
        let queue = catchUp ?? CatchUp()
        catchUp = queue
        return queue
    }

    func endCatchUp() { catchUp = nil }

    func countMissed(_ change: Int) {
        missedBytes += change
        hub.holdings.recordCatchUps(by: change)
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        holdAnswer(for: context)
        hub.add(self)
        hub.supervise(self)
        hub.metrics.accepted.increment()
    }

    /// The session's first input, once, right after the handler has taken its place.
    ///
    /// - Parameters:
    ///   - session: the earlier one that the client wants to go on with.
    ///   - passed: headers that the backend is told of.
    func begin(with credentials: SessionMachine.Credentials, session: String?, passed: [Presented.Header] = []) {
        let now = hub.now
        if hub.configuration.authorizer != nil {
            shown = Presented(headers: passed, address: address?.description ?? "")
        }
        if let wait = hub.budgets.wait(forStrangersAt: address, now: now) { budget.block(for: wait, now: now) }
        perform(machine.opened(with: credentials, session: session, isTelling: passed.tell))
        // It is the client's turn: it must hear that it was let in.
        if case .none = credentials { markDirty() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        isHeard = true
        if let unread {
            unread.bytes.writeBuffer(&bytes)
        } else {
            receive(&bytes)
        }
        hub.receiveBuffer.lend(bytes)
        recordHalfMessage()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        hub.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard isOpen, !context.channel.isWritable else { return }
        // A whole turn's frames may be more than the mark: what counts is what the system does not take.
        context.flush()
        guard !context.channel.isWritable else { return }
        hub.recordOverfull(self)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is GiveWay else { return context.fireUserInboundEventTriggered(event) }
        giveWay()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Frames

    /// - Parameter retryAfter: where nothing is left to pay for a request: when there is something again.
    func receive(_ event: FrameDecoder.Event, now: MonotonicTime, retryAfter: Duration?) {
        hub.countFrame(of: spoken)
        guard isOpen else {
            if case .close = event { finishClosing() }
            return
        }
        switch event {
        case .text(let frame):
            if let dialect { return hear(frame, in: dialect, now: now, retryAfter: retryAfter) }
            switch hub.decode(frame) {
            case .success(let request):
                if let retryAfter {
                    hub.metrics.budgetRefusals.increment()
                    return perform(machine.receivedUnpaid(request, retryAfter: retryAfter, now: now))
                }
                perform(machine.received(hub.sharing(request), now: now))
            case .failure(let malformed): perform(machine.receivedMalformed(malformed, now: now))
            }
        case .binary:
            close(.unsupportedData, text: CloseReason.unsupportedData.text)
        case .ping(let payload):
            answer(ping: payload, now: now)
        case .pong:
            switch machine.receivedControlFrame(now: now) {
            case .accepted, .refused: break
            case .exhausted: close(.tooManyRequests, text: CloseReason.tooManyRequests.text)
            }
        case .close(let code, _):
            answerClose(code)
        case .failed(let error):
            close(CloseReason(rawValue: error.closeCode) ?? .protocolError, text: error.reason)
            // Nothing more can be read from such a peer, its close frame neither.
            finishClosing()
        }
    }

    // MARK: Actions

    func perform(_ actions: [SessionMachine.Action]) {
        for action in actions {
            guard isOpen else { return }
            if let spending = action.spending(audience: hub.audience) { spend(spending, now: hub.now) }
            switch action {
            case .send(let event): tell(event)
            case .sendPage(let event):
                let frame = hub.writer.frame(event, isCompressed: isCompressing)
                hub.outputTurn.spend(Prices.logBytes(frame.readableBytes, isCompressing: isCompressing).price)
                write(frame) { [self] in
                    hub.whenPaid(self) { [self] in
                        perform(machine.pageLeft())
                        hub.flush()
                    }
                }
            case .register(let session):
                hub.census.vouch(for: &slot)
                chargeRest()
                budget.welcome(now: hub.now)
                hub.register(self, resuming: session)
            case .registerLater: hub.retryLater(.registration(self))
            case .welcome(let userId, let session, let resumed, let timestamp, let id):
                welcome(userId, session, resumed: resumed, timestamp, answering: id)
            case .verify(let token):
                hub.census.shelter(slot)
                verify(token)
            case .confirm(let identity): hub.confirm(identity, for: self)
            case .enroll(let enrollment, let info):
                if let user = machine.identity?.userId { waitForJoins(of: user) }
                hub.enroll(self, enrollment, info: info)
            case .admitVisitor: admitVisitor()
            case .admitGuest: admitGuest()
            case .greetGuest: greetGuest()
            case .endGuest: endGuest()
            case .nameVisitor: hub.register(self, resuming: nil)
            case .enrollVisitor(let enrollment, let member):
                waitForJoins(of: member.userId)
                hub.enroll(self, enrollment, as: member)
            case .readRoster(let joined, let id):
                hub.read(PageRead(connection: self, id: id, subject: .roster(joined)))
            case .release(let joined, let version): hub.release(joined, to: self, knows: version)
            case .enrollQuietly(let room): hub.presence.joinQuietly(room, connection: id.description)
            case .attend(let room): hub.presence.attend(room, connection: id.description)
            case .noteMiss(let room): hub.presence.noteMiss(in: room)
            case .withdraw(let room): hub.presence.leave(room, connection: id.description)
            case .follow(let room, let since): hub.follow(room, since: since, for: self)
            case .followLater(let room): hub.retryLater(.stream(self, room))
            case .enter(let room, let entry): hub.enter(room, self, entry)
            case .leave(let room): hub.leave(room, self)
            case .tellPosition(let id, let room): tellPosition(id, room)
            case .publish(let publication, let echo, let id): publish(publication, echo: echo, id)
            case .readHistory(let room, let range, let id):
                hub.read(PageRead(connection: self, id: id, subject: .history(room, range)))
            case .readMembers(let room, let limit, let cursor, let id):
                let subject = PageRead.Subject.members(room, limit: limit, cursor: cursor)
                hub.read(PageRead(connection: self, id: id, subject: subject))
            case .findSharers(let users, let rooms, let id): hub.findSharers(users, rooms: rooms, id: id, for: self)
            case .watch(let users, let held, let refused, let id):
                hub.watch(users, held: held, refused: refused, id: id, for: self)
            case .unwatch(let users): hub.unwatch(users, for: self)
            case .show(let info, let rooms, let id): hub.show(info, in: rooms, id: id, of: self)
            case .setState(let state, let id): hub.setState(state, id: id, of: self)
            case .turn(let user, let id): tellTurn(user, id)
            case .signal(let signal, let id): hub.signal(signal, id: id, from: self)
            case .order(let order, let id): hub.carryOut(order, id: id, from: self)
            case .redact(let room, let seq, let epoch, let id):
                hub.redact(seq, of: epoch, in: room, id: id, from: self)
            case .ask(let inquiry): ask(inquiry)
            case .keepToken(let token): shown = shown?.with(token: token)
            case .close(let reason, let text): close(reason, text: text)
            }
        }
    }

    private func waitForJoins(of user: UserID) {
        if let wait = hub.budgets.join(by: user, now: hub.now) { budget.block(for: wait, now: hub.now) }
    }

    private func welcome(
        _ userId: UserID, _ session: String, resumed: Bool, _ timestamp: Int64, answering request: RequestID?
    ) {
        let own: [RoomName] = [RoomName(inboxOf: userId), .everyone]
        var welcome = Welcome(
            connectionId: id.description, nodeId: hub.configuration.nodeId, userId: userId, session: session,
            resumed: resumed, heartbeat: Int(hub.configuration.heartbeatInterval.milliseconds), timestamp: timestamp,
            positions: own.compactMap { room in hub.standing(of: room).map { (room, $0.position) } },
            limits: hub.configuration.clientLimits)
        welcome.id = request
        write(.welcome(welcome))
        hub.metrics.connect.recordNanoseconds((hub.now - began).nanoseconds)
        hub.logger.debug(
            "session live",
            metadata: [
                "connectionId": "\(id)", "userId": "\(userId)", "address": "\(address?.description ?? "none")",
                "resumed": "\(resumed)",
            ])
        askAgainIfOld(userId)
    }

    /// The one task there is: short, ended by the verifier's answer, at most one for each connection at a time.
    private func verify(_ token: String) {
        guard case .jwt(let verifier) = hub.configuration.authentication else { return }
        Task { [hub] in
            do throws(TokenError) {
                hub.enqueue(.answer(self, .verified(result: .success(try await verifier.verify(token)))))
            } catch {
                hub.enqueue(.answer(self, .verified(result: .failure(error))))
            }
        }
    }

    private func tellPosition(_ id: RequestID?, _ room: RoomName) {
        guard let standing = hub.standing(of: room, for: self) else {
            let error = BackendError.unavailable(reason: "the room is not followed just now").request
            return write(hub.writer.frame(.error(id: id, error: error)))
        }
        let reading = hub.reading(of: room, by: self)
        let roster = machine.seesPresence(in: room) && reading?.presence != false ? standing.roster : nil
        var joined = Joined(
            room: room, position: standing.position, recovered: true, roster: roster, settings: hub.settings(of: room))
        joined.role = reading?.role
        write(hub.writer.frame(.joined(id: id, joined)))
    }

    private func tellTurn(_ user: UserID, _ id: RequestID?) {
        let credentials = hub.configuration.turn?.credentials(for: user, now: hub.wallMilliseconds)
        let answer = credentials.map { ServerEvent.turn(id: id, $0) } ?? .error(id: id, error: TurnServers.absent)
        write(hub.writer.frame(answer))
    }

    private func publish(_ publication: Publication, echo: Bool, _ id: RequestID?) {
        let now = hub.now
        if let wait = hub.wait(for: publication.room, now: now) {
            hub.metrics.budgetRefusals.increment()
            let error = RequestError(.rateLimited, "too much goes out to this room; slow down", retryAfter: wait)
            return tell(.error(id: id, error: error))
        }
        let bytes = Int32(clamping: publication.memoryBytes)
        guard admitPublish(bytes) else {
            let error = BackendError.unavailable(reason: "too many of the connection's messages have no answer")
            return answered(.published(id: id, room: publication.room, result: .failure(error)))
        }
        let payloadBytes = publication.payload.count
        let spending = Prices.publication(bytes: payloadBytes, receivers: hub.audience(of: publication.room))
        spend(spending, now: now)
        hub.spend(spending, bytesIn: payloadBytes, in: publication.room, now: now)
        let room = publication.room
        var publication = publication
        if !echo { publication.except = self.id.description }
        hub.log.publish(publication) { [hub] result in
            self.unansweredBytes.wrappingSubtract(bytes, ordering: .relaxed)
            hub.enqueue(.answer(self, .published(id: id, room: room, result: result)))
        }
    }
}
