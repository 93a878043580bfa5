import GatewayCore
import RedisClient

/// What the subscriptions bring: the channels of rooms, users and the node, and breaks of the link.
extension Router: RedisSubscriptionHandler {
    func subscriptionConnected(_ slots: SlotGroup, afterBreak: Bool) {
        loop.assertInEventLoop()
        let partitions = PartitionSet(slots)
        link.connected(partitions)
        onConnection(partitions, true)
        if afterBreak { compare(partitions) }
        linkReturned(partitions)
        watched.linkReturned()
    }

    func subscriptionLost(_ slots: SlotGroup) {
        loop.assertInEventLoop()
        let partitions = PartitionSet(slots)
        link.lost(partitions)
        onConnection(partitions, false)
        for track in tracks.all where partitions.contains(Partition(of: track.room)) { track.machine.linkLost() }
        watched.linkLost(partitions)
    }

    func subscribed(channel: String) {
        var channel = channel
        channel.withUTF8 { bytes in
            switch ChannelName(UnsafeRawBufferPointer(bytes), prefixLength: prefixLength) {
            case .room(let name): subscribed(tracks[name: name])
            case .everyone: subscribed(tracks[.everyone])
            case .status(let name): watched.subscribed(UserID(unchecked: String(decoding: name, as: UTF8.self)))
            case .node, nil: break
            }
        }
    }

    private func subscribed(_ track: Track?) {
        guard let track else { return }
        perform(track.machine.subscribed(conditions(of: track)), track)
    }

    func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        loop.assertInEventLoop()
        switch ChannelName(channel, prefixLength: prefixLength) {
        case .room(let name): received(payload, tracks[name: name])
        case .everyone: received(payload, tracks[.everyone])
        case .status(let name): received(payload, of: UserID(unchecked: String(decoding: name, as: UTF8.self)))
        case .node: receivedOnNode(payload)
        case nil: unreadable()
        }
    }

    func readComplete() {
        outboxes.flush()
    }

    private func received(_ payload: UnsafeRawBufferPointer, _ track: Track?) {
        guard let track else { return }
        if PresenceMessage.isOne(payload) {
            guard let message = PresenceMessage(payload) else { return unreadable() }
            return receive(RosterChange(message, of: track.room), track)
        }
        if SettingsMessage.isOne(payload) {
            guard let message = SettingsMessage(payload) else { return unreadable() }
            return receive(message, track)
        }
        if VolatileMessage.isOne(payload) {
            guard let message = VolatileMessage(payload) else { return unreadable() }
            return receiveUnstored(message.body, timestamp: message.timestamp, track)
        }
        if CountMessage.isOne(payload) {
            guard let message = CountMessage(payload) else { return unreadable() }
            return outboxes.add(.counted(track.room, connections: message.connections), of: track)
        }
        if RedactionMessage.isOne(payload) {
            guard let message = RedactionMessage(payload) else { return unreadable() }
            return receive(message.redaction(in: track.room))
        }
        guard let message = ChannelMessage(payload) else { return unreadable() }
        receive(message.body, epoch: message.epoch, seq: message.seq, timestamp: message.timestamp, track)
    }

    private func received(_ payload: UnsafeRawBufferPointer, of user: UserID) {
        guard let message = StatusMessage(payload) else { return unreadable() }
        let state = KnownState(isOnline: message.isOnline, isAway: message.isAway, timestamp: message.timestamp)
        watched.heard(state, of: user)
    }

    private func receivedOnNode(_ payload: UnsafeRawBufferPointer) {
        switch NodeMessage(payload) {
        case .inbox(let message):
            guard let track = tracks[inboxOf: message.user] else { return }
            receive(
                message.body, epoch: message.epoch, seq: message.seq, timestamp: message.timestamp, track)
        case .unstored(let user, let timestamp, let body):
            guard let track = tracks[inboxOf: user] else { return }
            receiveUnstored(body, timestamp: timestamp, track)
        case .close(let connection, let reason, let text):
            outboxes.addToAll(.close(connection: connection, reason: reason, text: text))
        case .signal(let signal):
            outboxes.addToAll(.signal(signal))
        case .redacted(let redaction):
            receive(redaction)
        case .putOut(let putOut): onPutOut(putOut)
        case .invited(let user, let room): outboxes.addToAll(.invited(user, to: room))
        case .vacated(let room): onVacated(room)
        case .canary(let number, let instance):
            onCanary(number, instance)
        case .seek(let seek):
            search?.received(seek)
        case .found(let found):
            search?.received(found)
        case .review(let user, let number, let asker):
            review?.received(user, number: number, asker: asker)
        case .reviewed(let count, let number, let node):
            review?.received(count: count, number: number, node: node)
        case .visibility(let user, let isInvisible):
            onVisibility(user, isInvisible)
        case nil:
            unreadable()
        }
    }

    /// It is nothing to the stream's course: whoever follows the room now is told.
    private func receiveUnstored(_ body: UnsafeRawBufferPointer, timestamp: Int64, _ track: Track) {
        let message = MessageBody.decode(body, room: track.room, position: .unstored, timestamp: timestamp)
        guard let message else { return unreadable() }
        outboxes.add(.unstored(message), of: track)
    }

    func unreadable() {
        counters.unreadable()
        logger.error("A message on a channel could not be read")
    }

    private func receive(
        _ body: UnsafeRawBufferPointer, epoch: UnsafeRawBufferPointer, seq: Int, timestamp: Int64,
        _ track: Track
    ) {
        // The epoch is nearly always the one known: its string is shared rather than made anew.
        let known = track.machine.position?.epoch
        let epoch =
            known.flatMap { $0.hasBytes(epoch) ? $0 : nil }
            ?? String(decoding: epoch, as: UTF8.self)
        let message = MessageBody.decode(
            body, room: track.room, position: Position(epoch: epoch, seq: seq), timestamp: timestamp)
        guard let message else { return unreadable() }
        receive(message, track)
    }
}

extension PartitionSet {
    /// Those that lie in these slots.
    init(_ slots: SlotGroup) {
        switch slots {
        case .all: self = .all
        case .some(let slots): self.init(slots.compactMap { Partition.of($0) })
        }
    }
}
