import Dialects
import GatewayCore
import NIOCore
import WebSocketFrames

/// Clients that speak another dialect than the gateway's own.
extension SocketHandler {
    /// Of frames that are counted apart from what else may wait for the client.
    private static let leastBulkBytes = 1 << 16

    /// The first input of an app's client, once, right after the handler has taken its place.
    ///
    /// - Parameter refusal: why it is not let in.
    func visit(_ app: PusherApp?, _ refusal: PusherRefusal?) {
        guard context != nil else { return }
        spoken = .pusher
        hub.census.visitorCame()
        if let refusal { return turnAway(refusal) }
        guard let app, hub.apps.enter(app) else { return turnAway(.overQuota) }
        isOfApp = true
        begin(with: .visitor, session: nil)
    }

    /// It is told, in the words of its protocol, why it is not let in.
    private func turnAway(_ refusal: PusherRefusal) {
        // Of no app, it has no dialect to say it.
        if dialect == nil {
            var frame = ByteBuffer()
            FrameEncoder.text(refusal.text, into: &frame)
            write(frame)
        }
        close(.unauthorized, text: refusal.message, code: refusal.code)
    }

    /// An event for this client alone, in whatever it speaks.
    func tell(_ event: ServerEvent) {
        guard let dialect else { return write(event, isCompressed: isCompressing) }
        writeApart(hub.writer.frames(event, in: dialect))
    }

    /// What may be much is counted apart from what else waits for the client to read it.
    func writeApart(_ frames: ByteBuffer) {
        let count = frames.readableBytes
        guard count > 0 else { return }
        guard count >= SocketHandler.leastBulkBytes else { return write(frames) }
        guard bulkBytes == 0 || Int(bulkBytes) + count <= hub.configuration.maxUnreadBytes else {
            return closeSlow(.tooMuch)
        }
        bulkBytes += Int32(clamping: count)
        write(frames) { [self] in bulkBytes -= Int32(clamping: count) }
    }

    func hear(_ frame: ByteBuffer, in dialect: any Dialect, now: MonotonicTime, retryAfter: Duration?) {
        switch frame.withUnsafeReadableBytes({ dialect.read($0) }) {
        case .request(let request):
            guard let retryAfter else { return perform(machine.received(request, now: now)) }
            hub.metrics.budgetRefusals.increment()
            perform(machine.receivedUnpaid(request, retryAfter: retryAfter, now: now))
        case .malformed(let malformed): perform(machine.receivedMalformed(malformed, now: now))
        case .nothing:
            switch machine.receivedControlFrame(now: now) {
            case .accepted, .refused: break
            case .exhausted: close(.tooManyRequests, text: CloseReason.tooManyRequests.text)
            }
        }
    }

    func admitVisitor() {
        letInWithoutUser()
        tell(
            .welcome(
                Welcome(
                    connectionId: id.description, nodeId: hub.configuration.nodeId, userId: nil, session: "",
                    resumed: false, heartbeat: Int(hub.configuration.heartbeatInterval.milliseconds),
                    timestamp: hub.wallMilliseconds, positions: [])))
        hub.metrics.connect.recordNanoseconds((hub.now - began).nanoseconds)
        hub.logger.debug(
            "visitor let in",
            metadata: ["connectionId": "\(id)", "address": "\(address?.description ?? "none")"])
    }

    func letInWithoutUser() {
        hub.census.vouch(for: &slot)
        chargeRest()
        budget.welcome(now: hub.now)
        hub.presence.connectVisitor(id.description)
    }

    /// It has no log to be fed from: whoever reads too slowly has to come back.
    func closeIfOverfull() {
        guard let context, let queued = hub.probe.queuedBytes(context.channel) else { return }
        if queued - Int(bulkBytes) > hub.configuration.maxLiveBytes { closeSlow(.tooMuch) }
    }
}

extension ConnectionID {
    var socketID: PusherSocketID {
        guard let socketID = PusherSocketID(connectionID: description) else {
            preconditionFailure("the name of a connection that is none")
        }
        return socketID
    }
}
