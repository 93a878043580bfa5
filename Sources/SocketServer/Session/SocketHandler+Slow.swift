import GatewayCore
import NIOCore

/// What is held for one client, and what happens where it does not read.
extension SocketHandler {
    /// What the node holds for it.
    var heldBytes: Int {
        (slow?.queue.queuedBytes ?? 0) + missedBytes + Int(halfMessageBytes)
            + Int(unansweredBytes.load(ordering: .relaxed))
    }

    /// What waits in its socket for the client to read.
    var queuedBytes: Int { slow?.queue.queuedBytes ?? 0 }

    /// Whether more waits in its socket than may wait there of what comes as it comes.
    var isOverfull: Bool { descriptor == nil && context?.channel.isWritable == false }

    /// So many bytes wait in the channel after a flush: from here on each tick looks at them.
    func recordQueued(_ bytes: Int) {
        guard isOpen else { return }
        let slow = watchQueue()
        hub.holdings.recordSockets(by: bytes - slow.queue.queuedBytes)
        let part = (catchUp?.sentBytes ?? 0) + Int(bulkBytes)
        let isTooMuch = slow.queue.queued(bytes, limit: hub.configuration.maxQueuedBytes + part)
        if isTooMuch { return closeSlow(.tooMuch) }
        if bytes - Int(bulkBytes) > hub.configuration.maxLiveBytes { hub.recordOverfull(self) }
    }

    /// What waits in the channel at this moment is all that may come of its rooms until the log is read.
    func feedsFromLog() {
        guard let context else { return }
        let slow = watchQueue()
        let bytes = hub.probe.queuedBytes(context.channel) ?? 0
        hub.holdings.recordSockets(by: bytes - slow.queue.queuedBytes)
        slow.queue.feedsFromLog(waiting: bytes)
    }

    private func watchQueue() -> SlowSocket {
        if let slow { return slow }
        let slow = SlowSocket(now: hub.now)
        self.slow = slow
        hub.supervise(self)
        return slow
    }

    /// Once a heartbeat interval, and only where something was sent since: the system may hold it all, so that nothing
    /// waits in the node.
    func lookForUntaken(now: MonotonicTime) {
        guard mayBeUntaken, slow == nil, let descriptor,
            hub.probe.systemBytes(descriptor) > SocketQueue.idleBytes
        else { return }
        _ = watchQueue()
    }

    /// Each tick while something waits.
    func lookAtQueue(now: MonotonicTime) {
        guard let slow, let context else { return }
        let look = hub.probe.look(context.channel)
        hub.holdings.recordSockets(by: look.queuedBytes - slow.queue.queuedBytes)
        switch slow.queue.looked(look, now: now) {
        case .drained: self.slow = nil
        case .waiting: break
        case .tookNothing: closeSlow(.tookNothing)
        }
    }

    /// Closes one that reads too slowly, and says in the metrics why.
    func closeSlow(_ outcome: SocketMetrics.SlowOutcome) {
        hub.metrics.count(outcome)
        close(.tooSlow, text: CloseReason.tooSlow.text)
    }

    /// What has come of a message in part, or waits for its turn, is another than before.
    func recordHalfMessage() {
        recordHalfMessage(decoder.heldBytes + (unread?.bytes.storageCapacity ?? 0))
    }

    private func recordHalfMessage(_ bytes: Int) {
        let bytes = Int32(clamping: bytes)
        guard bytes != halfMessageBytes else { return }
        hub.holdings.recordHalfMessages(by: Int(bytes) - Int(halfMessageBytes))
        halfMessageBytes = bytes
    }

    /// Counts a message on its way to Redis; false where too many of this client have no answer.
    func admitPublish(_ bytes: Int32) -> Bool {
        let limit = Int32(clamping: hub.configuration.maxUnansweredBytes)
        let sum = unansweredBytes.wrappingAdd(bytes, ordering: .relaxed).newValue
        // A single one is always taken.
        guard sum > limit, sum > bytes else { return true }
        unansweredBytes.wrappingSubtract(bytes, ordering: .relaxed)
        return false
    }

    /// The socket has ended, and what waited in it.
    func forgetHoldings() {
        if let slow { hub.holdings.recordSockets(by: -slow.queue.queuedBytes) }
        slow = nil
        recordHalfMessage(0)
    }
}
