import Dialects
import GatewayCore
import NIOCore
import WebSocketFrames

/// Time, and the ways in which a connection ends.
extension SocketHandler {
    /// Once a heartbeat interval: counts an unanswered ping, or closes after too many, and pings.
    ///
    /// Pings are counted, never time alone: a node that slept has not pinged.
    func visit(now: MonotonicTime, wallMilliseconds: Int64) {
        guard isOpen else { return }
        if isHeard { unansweredPings = 0 }
        guard unansweredPings < hub.configuration.missedHeartbeats else {
            return close(.heartbeatMissed, text: CloseReason.heartbeatMissed.text)
        }
        isHeard = false
        unansweredPings += 1
        lookForUntaken(now: now)
        write(SocketHandler.ping)
        mayBeUntaken = false
        superviseIfNeeded(now: now, wallMilliseconds: wallMilliseconds)
    }

    private static let ping: ByteBuffer = {
        var buffer = ByteBuffer()
        FrameEncoder.ping(into: &buffer)
        return buffer
    }()

    func check(now: MonotonicTime, wallMilliseconds: Int64) {
        switch phase {
        case .ended:
            break
        case .open:
            if holdsAnswer { markDirty() }
            watchHalfMessage()
            lookAtQueue(now: now)
            perform(machine.hitDeadline(now: now, wallMilliseconds: wallMilliseconds))
            if isOpen { superviseIfNeeded(now: now, wallMilliseconds: wallMilliseconds) }
        case .closing(let cutAt):
            if cutAt <= now { cut() }
        }
    }

    /// Looked at in each tick only while its deadline lies before the next visit.
    func superviseIfNeeded(now: MonotonicTime, wallMilliseconds: Int64) {
        guard isOpen else { return }
        let deadline = machine.nextDeadline(now: now, wallMilliseconds: wallMilliseconds)
        if holdsAnswer || slow != nil || machine.isStranger
            || deadline.map({ $0 <= now + hub.configuration.heartbeatInterval }) ?? false
        {
            hub.supervise(self)
        } else {
            hub.unsupervise(self)
        }
    }

    /// Closes for a cause of the gateway's: the frame is sent, then the client has a little while to answer it.
    ///
    /// - Parameter code: nil: what the client's dialect has for the reason.
    func close(_ reason: CloseReason, text: String, code: UInt16? = nil) {
        guard isOpen else { return }
        let code = code ?? dialect?.farewell(reason) ?? reason.code
        hub.metrics.close(reason, code: code, of: spoken)
        hub.logger.debug(
            "closing a connection",
            metadata: ["connectionId": "\(id)", "code": "\(code)", "reason": "\(text)"])
        isCounted = true
        if let words = dialect?.lastWords(code, text) {
            var frame = ByteBuffer()
            FrameEncoder.text(words, into: &frame)
            write(frame)
        }
        beginClosing(.byGateway(reason), code: code, text: text)
    }

    /// There are too many strangers, and this one is the one to go: it is told so, and its place is free at once, whether it
    /// hears it or not.
    func giveWay() {
        switch phase {
        case .open:
            guard machine.awaitsToken || machine.awaitsRuling && !isAskedAbout else { return }
            close(.unavailable, text: "too many connections without a token")
            flushIfDirty()
            cut()
        case .closing: cut()
        case .ended: break
        }
    }

    /// The client wants to end: it gets its own code back, and the end once that is sent.
    func answerClose(_ code: UInt16?) {
        beginClosing(.byClient(code: code), code: code, text: "")
        finishClosing()
    }

    private func beginClosing(_ end: SessionMachine.End, code: UInt16?, text: String) {
        depart(end)
        var frame = ByteBuffer()
        FrameEncoder.close(code: code, reason: text, into: &frame)
        write(frame)
        phase = .closing(cutAt: hub.now + hub.configuration.closeTimeout)
        hub.supervise(self)
    }

    /// Both close frames are sent or on their way: the socket is closed for writing when the last byte has left.
    func finishClosing() {
        flushIfDirty()
        context?.close(mode: .output, promise: nil)
    }

    func cut() {
        context?.close(promise: nil)
    }

    /// Cuts without a word a connection that the node gives up.
    func abandon() {
        depart(.byGateway(.goingAway))
        cut()
    }

    /// Leaves everything, here and in the registry; only the first call says how it ended.
    private func depart(_ end: SessionMachine.End) {
        if machine.roomCount > 0 { spend(Prices.departure(rooms: machine.roomCount), now: hub.now) }
        chargeRest()
        if machine.isGuest { hub.census.guestLeft() }
        let remains = machine.closed(end)
        endCatchUp()
        for room in remains.rooms { hub.leave(room, self) }
        if !remains.watched.isEmpty { hub.unwatch(remains.watched, for: self) }
        if let departure = remains.departure { hub.presence.disconnect(id.description, departure) }
    }

    func end() {
        if case .ended = phase { return }
        depart(.lost)
        phase = .ended
        context = nil
        descriptor = nil
        held = nil
        unread = nil
        forgetHoldings()
        if !isCounted { hub.metrics.close(nil, of: spoken) }
        if spoken != .native { hub.census.visitorLeft() }
        if isOfApp, let dialect = dialect as? PusherDialect { hub.apps.leave(dialect.app) }
        hub.logger.debug("connection ended", metadata: ["connectionId": "\(id)"])
        hub.remove(self)
        hub.census.leave()
        hub.census.close(slot)
    }
}
