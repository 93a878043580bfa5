import GatewayCore
import RedisClient

/// What the subscriptions bring: the channels of rooms, users and the node, and breaks of the link.
extension Router: RedisSubscriptionHandler {
    func subscriptionConnected(afterBreak: Bool) {
        loop.assertInEventLoop()
        isConnected = true
        onConnection(true)
        if afterBreak { compare() }
        for track in unsettled.values { advance(track) }
        advanceWatching()
    }

    func subscriptionLost() {
        loop.assertInEventLoop()
        isConnected = false
        breaks += 1
        onConnection(false)
        for track in tracks.all { track.isSubscribed = false }
        for one in watched.all { one.isSubscribed = false }
    }

    func subscribed(channel: String) {
        var channel = channel
        channel.withUTF8 { bytes in
            switch ChannelName(UnsafeRawBufferPointer(bytes), prefixLength: prefixLength) {
            case .room(let name): subscribed(tracks[name: name])
            case .everyone: subscribed(tracks[.everyone])
            case .status(let name): subscribed(watched[name: name])
            case .node, nil: break
            }
        }
    }

    private func subscribed(_ track: Track?) {
        guard let track else { return }
        track.isSubscribed = true
        advance(track)
    }

    func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        loop.assertInEventLoop()
        switch ChannelName(channel, prefixLength: prefixLength) {
        case .room(let name): received(payload, tracks[name: name])
        case .everyone: received(payload, tracks[.everyone])
        case .status(let name): received(payload, watched[name: name])
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
            return take(RosterChange(message, of: track.room), track)
        }
        guard let message = ChannelMessage(payload) else { return unreadable() }
        take(message.body, epoch: message.epoch, seq: message.seq, timestamp: message.timestamp, track)
    }

    private func receivedOnNode(_ payload: UnsafeRawBufferPointer) {
        switch NodeMessage(payload) {
        case .inbox(let message):
            guard let track = tracks[inboxOf: message.user] else { return }
            take(
                message.body, epoch: message.epoch, seq: message.seq, timestamp: message.timestamp, track)
        case .close(let connection, let reason, let text):
            outboxes.addToAll(.close(connection: connection, reason: reason, text: text))
            scheduleFlush()
        case .signal(let signal):
            outboxes.addToAll(.signal(signal))
            scheduleFlush()
        case nil:
            unreadable()
        }
    }

    func unreadable() {
        counters.unreadable()
        logger.error("A message on a channel could not be read")
    }

    private func take(
        _ body: UnsafeRawBufferPointer, epoch: UnsafeRawBufferPointer, seq: Int, timestamp: Int64,
        _ track: Track
    ) {
        // The epoch is nearly always the one known: its string is shared rather than made anew.
        let known = track.cursor.position?.epoch
        let epoch =
            known.flatMap { $0.hasBytes(epoch) ? $0 : nil }
            ?? String(decoding: epoch, as: UTF8.self)
        let message = MessageBody.decode(
            body, room: track.room, position: Position(epoch: epoch, seq: seq), timestamp: timestamp)
        guard let message else { return unreadable() }
        take(message, track)
    }

    /// A message is there: from the channel, from what was held, or from the log.
    func take(_ message: RoomMessage, _ track: Track) {
        if let errand = track.errand, errand.isCatchingUp { return errand.hold(.message(message)) }
        switch track.cursor.receive(message.position) {
        case .deliver:
            deliver(message, track)
        case .begin(let position):
            outboxes.add(.epoch(room: track.room, position: position), of: track)
            deliver(message, track)
        case .drop:
            counters.repeated()
        case .hold:
            track.busy.hold(.message(message))
        case .catchUp:
            track.busy.hold(.message(message))
            track.busy.needsCatchUp = true
            look(at: track)
            advance(track)
        }
    }

    private func deliver(_ message: RoomMessage, _ track: Track) {
        budget.append(message, to: track)
        if !track.hubs.isEmpty {
            outboxes.add(message, of: track)
            scheduleFlush()
        }
        settleParked(track)
    }

    /// Takes what was kept while the stream's place was unknown or the log was asked.
    func releaseHeld(_ track: Track) {
        guard let errand = track.errand, !errand.isCatchingUp else { return }
        for one in errand.takeHeld() {
            switch one {
            case .message(let message): take(message, track)
            case .roster(let change): take(change, track)
            }
        }
    }
}
