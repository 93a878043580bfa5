import GatewayCore

extension Router {
    /// A connection of this node is to be closed: whichever hub has it is told.
    func close(_ closing: StreamDelivery) {
        loop.assertInEventLoop()
        outboxes.addToAll(closing)
        scheduleFlush()
    }
}
