import GatewayCore
import NIOCore
import NIOHTTP1

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
            try shake(channel, slot, isBanned ? .refused(.banned) : isProxy ? .proxied : .judged)
        case .refused(let slot, _):
            try shake(channel, slot, .refused(.tooManyOfAddress))
        case .dropped(let shortage):
            refused(shortage == .address ? .address : .strangers, from: peer)
            throw NoRoom()
        }
    }

    /// There is not even room to tell a client so.
    private struct NoRoom: Error {}

    private func shake(_ channel: any Channel, _ slot: Slot, _ fate: HandshakeHandler.Fate) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = configuration.maxHeaderBytes
        limits.maxHeaderListSize = configuration.maxHeaderBytes
        let parser = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
        let pipeline = channel.pipeline.syncOperations
        do {
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
