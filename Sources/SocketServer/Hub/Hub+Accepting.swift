import GatewayCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// The accept: what becomes of a fresh connection before it has said anything.
extension Hub {
    /// Takes a fresh connection of this loop, which begins with a handshake.
    package func accept(_ channel: any Channel) throws {
        eventLoop.preconditionInEventLoop()
        let peer = channel.remoteAddress.flatMap { IPAddress($0) }
        let isProxy = peer.map(configuration.trusts) ?? false
        switch census.open(channel, from: peer, isProxy: isProxy) {
        case .admitted(let slot, _):
            let isBanned = !isProxy && peer.map(isBanned) ?? false
            if isBanned { return try turnAway(channel, slot, .banned) }
            guard paysForHandshake(peer, isProxy: isProxy) else { return try turnAway(channel, slot, .flooded) }
            try shake(channel, slot, isProxy ? .proxied : .judged)
        case .refused(let slot, _):
            try turnAway(channel, slot, .address)
        case .dropped(let shortage):
            refused(shortage == .address ? .address : .strangers, from: peer)
            throw NoRoom()
        }
    }

    /// There is not even room to tell a client so.
    private struct NoRoom: Error {}

    /// Answers why; where that would take a TLS handshake, which costs more than all that is refused, nobody is told.
    private func turnAway(_ channel: any Channel, _ slot: Slot, _ reason: SocketMetrics.Refusal) throws {
        guard configuration.tls == nil else {
            census.close(slot)
            refused(reason, from: slot.address)
            throw NoRoom()
        }
        switch reason {
        case .address: try shake(channel, slot, .refused(.tooManyOfAddress))
        case .banned: try shake(channel, slot, .refused(.banned))
        default: try shake(channel, slot, .refused(.unavailable(reason)))
        }
    }

    /// Takes the price of a TLS handshake out of what strangers of this address have, before it is done: false where they
    /// are in debt. A proxy's address is nobody's.
    private func paysForHandshake(_ peer: IPAddress?, isProxy: Bool) -> Bool {
        guard configuration.tls != nil, !isProxy else { return true }
        let now = now
        guard budgets.wait(forStrangersAt: peer, now: now) == nil else { return false }
        _ = budgets.spend(Prices.handshake, by: nil, at: peer, now: now)
        return true
    }

    private func shake(_ channel: any Channel, _ slot: Slot, _ fate: HandshakeHandler.Fate) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = configuration.maxHeaderBytes
        limits.maxHeaderListSize = configuration.maxHeaderBytes
        let parser = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
        let pipeline = channel.pipeline.syncOperations
        do {
            if let tls = configuration.tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls())) }
            try pipeline.addHandler(parser)
            try pipeline.addHandler(
                HandshakeHandler(hub: self, rules: rules, parser: parser, slot: slot, fate: fate))
        } catch {
            // The channel has gone already, and with it the handler that would have counted it out.
            census.close(slot)
            throw error
        }
    }

    func isBanned(_ address: IPAddress) -> Bool {
        configuration.bannedAddresses.contains(address, wallMilliseconds: wallMilliseconds)
    }
}
