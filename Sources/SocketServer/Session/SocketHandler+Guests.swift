import GatewayCore

/// Clients without a user that speak the gateway's own dialect.
extension SocketHandler {
    func admitGuest() {
        letInWithoutUser()
        hub.census.guestCame()
        // What guests of this address have spent is not theirs again with the next connection.
        let now = hub.now
        if let wait = hub.budgets.wait(forStrangersAt: address, now: now) { budget.block(for: wait, now: now) }
    }

    func greetGuest() {
        let standing = hub.standing(of: .everyone)
        let welcome = Welcome(
            connectionId: id.description, nodeId: hub.configuration.nodeId, userId: nil, session: "", resumed: false,
            heartbeat: Int(hub.configuration.heartbeatInterval.milliseconds), timestamp: hub.wallMilliseconds,
            positions: standing.map { [(.everyone, $0.position)] } ?? [], limits: hub.configuration.clientLimits)
        tell(.welcome(welcome))
        hub.metrics.connect.recordNanoseconds((hub.now - began).nanoseconds)
        hub.logger.debug(
            "guest let in", metadata: ["connectionId": "\(id)", "address": "\(address?.description ?? "none")"])
    }

    /// It has shown a token: the time until it is welcomed with that counts from now.
    func endGuest() {
        hub.census.guestLeft()
        began = hub.now
        hub.supervise(self)
    }
}
