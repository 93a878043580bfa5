import GatewayCore
import NIOCore
import WebSocketFrames

/// What comes in: it is unpacked when the connection has something left to pay for it and the loop has time.
extension SocketHandler {
    /// A message of one that nobody has let in is no longer than this, and whole within this time.
    static let strangerMessageBytes = 16 << 10
    static let strangerMessageTime = Duration.seconds(10)

    /// Bytes that have been read and may not be unpacked yet.
    final class Unread {
        var bytes: ByteBuffer
        /// Not looked at before.
        let until: MonotonicTime
        /// Whether it is credit that they wait for, not time.
        let isUnpaid: Bool

        init(_ bytes: ByteBuffer, until: MonotonicTime, isUnpaid: Bool) {
            self.bytes = bytes
            self.until = until
            self.isUnpaid = isUnpaid
        }
    }

    var isStranger: Bool { machine.isStranger }

    var unreadUntil: MonotonicTime? { unread?.until }

    /// Serves what is in the bytes, up to where it has to wait; those beyond are kept.
    ///
    /// - Parameter past: of the first frame; those behind one that is refused have waited as long.
    func receive(_ bytes: inout ByteBuffer, after past: ConnectionBudget.Past = .none) {
        var past = past
        var share = InputTurn.share
        let largest = hub.configuration.maxMessageBytes
        decoder.limitMessages(to: machine.isStranger ? min(largest, SocketHandler.strangerMessageBytes) : largest)
        while bytes.readableBytes > 0 {
            let now = hub.now
            var retryAfter: Duration?
            switch budget.admit(now: now, after: past, isStranger: machine.isStranger) {
            case .served: past = .none
            case .waits(let wait): return park(bytes, until: now + wait, isUnpaid: true)
            case .refused(let wait):
                retryAfter = wait
                past = .refusal
            case .exhausted:
                close(.tooManyRequests, text: CloseReason.tooManyRequests.text)
                decoder.abandon()
                return finishClosing()
            }
            guard share > 0, !hub.inputTurn.isOver else {
                // Unpacking what is refused costs as well: the rest waits once more.
                guard let retryAfter else { return park(bytes, until: now, isUnpaid: false) }
                return park(bytes, until: now + min(retryAfter, ConnectionBudget.longestWait), isUnpaid: true)
            }
            let count = bytes.readableBytes
            let event = decoder.next(from: &bytes)
            let spending = Prices.received(
                wireBytes: count - bytes.readableBytes, textBytes: event?.messageBytes, isCompressing: isCompressing)
            spend(spending, now: now)
            hub.countInput(spending.price)
            share -= spending.price
            if let event { receive(event, now: now, retryAfter: retryAfter) }
        }
    }

    /// Nothing more is read until these bytes have had their turn; the pings in them are answered now.
    private func park(_ bytes: ByteBuffer, until: MonotonicTime, isUnpaid: Bool) {
        // A copy, since all sockets of the loop read into the same buffer.
        var rest = ByteBuffer(bytes: bytes.readableBytesView)
        let pings = decoder.takePings(outOf: &rest)
        unread = Unread(rest, until: until, isUnpaid: isUnpaid)
        setReading(false)
        hub.park(self)
        if isUnpaid { hub.metrics.budgetWaits.increment() }
        for ping in pings where isOpen { answer(ping: ping, now: hub.now) }
    }

    /// It is the turn of what was kept.
    func goOn() {
        guard let unread else { return }
        self.unread = nil
        receive(&unread.bytes, after: unread.isUnpaid ? .wait : .none)
        if self.unread == nil { setReading(true) }
        recordHalfMessage()
    }

    private func setReading(_ isReading: Bool) {
        do {
            try context?.channel.syncOptions?.setOption(.autoRead, value: isReading)
        } catch {
            // A channel that is closed already says so by itself.
            unread = nil
        }
    }

    /// A ping frame counts as a frame like any other.
    func answer(ping payload: ByteBuffer, now: MonotonicTime) {
        switch machine.receivedControlFrame(now: now) {
        case .accepted:
            var pong = ByteBuffer()
            FrameEncoder.pong(payload, into: &pong)
            write(pong)
        case .refused: break
        case .exhausted: close(.tooManyRequests, text: CloseReason.tooManyRequests.text)
        }
    }

    // MARK: Paying

    /// Takes out of the connection's budget, and of those it shares with others, what something costs.
    func spend(_ spending: Spending, now: MonotonicTime) {
        let budgets = hub.configuration.budgets
        let due = budget.spend(spending, now: now, machine.isStranger ? budgets.stranger : budgets.connection)
        guard let due, let wait = hub.charge(due, of: self, now: now) else { return }
        budget.block(for: wait, now: now)
    }

    /// Tells the shared budgets of what has not become much, at the end.
    func chargeRest() {
        guard let due = budget.takeUncharged() else { return }
        _ = hub.charge(due, of: self, now: hub.now)
    }

    // MARK: Half messages

    /// Closes a stranger whose message does not come to its end; called in each tick while there is nobody it speaks for.
    func watchHalfMessage() {
        guard machine.isStranger, decoder.isInsideMessage else { return halfMessageTicks = 0 }
        halfMessageTicks &+= 1
        guard hub.heartbeat.tick * Int(halfMessageTicks) > SocketHandler.strangerMessageTime else { return }
        close(.unauthorized, text: "a message took too long")
    }
}

extension FrameDecoder.Event {
    /// Of a whole message, no longer compressed; nil for the others, whose bytes are few.
    fileprivate var messageBytes: Int? {
        switch self {
        case .text(let bytes), .binary(let bytes): bytes.readableBytes
        case .ping, .pong, .close, .failed: nil
        }
    }
}
