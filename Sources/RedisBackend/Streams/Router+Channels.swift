import GatewayCore
import RedisClient

/// What the subscriptions bring: the channels of the rooms followed, and breaks of the link.
extension Router: RedisSubscriptionHandler {
    func subscriptionConnected(afterBreak: Bool) {
        loop.assertInEventLoop()
        isConnected = true
        onConnection(true)
        for track in tracks.all {
            if afterBreak, track.cursor.position != nil { track.needsCatchUp = true }
            advance(track)
        }
    }

    func subscriptionLost() {
        loop.assertInEventLoop()
        isConnected = false
        breaks += 1
        onConnection(false)
        for track in tracks.all { track.isSubscribed = false }
    }

    func subscribed(channel: String) {
        var channel = channel
        guard let track = channel.withUTF8({ tracks[UnsafeRawBufferPointer($0)] }) else { return }
        track.isSubscribed = true
        advance(track)
    }

    func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        loop.assertInEventLoop()
        guard let track = tracks[channel] else { return }
        // Members' comings and goings share the channel; whoever follows the roster reads them.
        guard !PresenceMessage.isOne(payload) else { return }
        guard let message = ChannelMessage(payload), let decoded = decode(message, track) else {
            counters.unreadable()
            logger.error("A message on a channel could not be read", metadata: ["room": "\(track.room)"])
            return
        }
        take(decoded, track)
    }

    func readComplete() {
        outboxes.flush()
    }

    private func decode(_ message: ChannelMessage, _ track: Track) -> RoomMessage? {
        // The epoch is nearly always the one known: its string is shared rather than made anew.
        let known = track.cursor.position?.epoch
        let epoch =
            known.flatMap { $0.utf8.elementsEqual(message.epoch) ? $0 : nil }
            ?? String(decoding: message.epoch, as: UTF8.self)
        return MessageBody.decode(
            message.body, room: track.room, position: Position(epoch: epoch, seq: message.seq),
            timestamp: message.timestamp)
    }

    /// A message is there: from the channel, from what was held, or from the log.
    func take(_ message: RoomMessage, _ track: Track) {
        guard !track.isCatchingUp else { return track.hold(message) }
        switch track.cursor.receive(message.position) {
        case .deliver:
            deliver(message, track)
        case .drop:
            counters.repeated()
        case .hold:
            track.hold(message)
        case .catchUp:
            track.hold(message)
            track.needsCatchUp = true
            advance(track)
        }
    }

    private func deliver(_ message: RoomMessage, _ track: Track) {
        budget.append(message, to: track)
        if !track.hubs.isEmpty {
            outboxes.add(message, of: track)
            scheduleFlush()
        }
        guard !track.parked.isEmpty else { return }
        settleParked(track)
    }

    /// Takes what was kept while the stream's place was unknown or the log was asked.
    func releaseHeld(_ track: Track) {
        guard !track.isCatchingUp else { return }
        for message in track.takeHeld() { take(message, track) }
    }

    /// Hands what was gathered to the hubs at the end of this turn.
    func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.execute { [self] in
            isFlushScheduled = false
            outboxes.flush()
        }
    }
}
