import GatewayCore

extension LedgerBatch {
    /// What `gather` gave, read into a batch; nil where it tells of a loss in another way than `gather` does.
    init?(_ gathered: Gather.Gathered, partition: Int, for receiver: WebhookReceiver) {
        self.init(
            kind: gathered.kind, events: [], entries: [], hasMore: gathered.hasMore, gatheredAt: gathered.now,
            lag: gathered.lag, receipt: gathered.receipt)
        guard gathered.kind != .loss else {
            guard let loss = LedgerLoss(gathered.receipt) else { return nil }
            events = [LedgerEvent(loss, partition: partition, births: gathered.births)]
            return
        }
        let types = gathered.kind == .replay ? LedgerReplay(gathered.receipt)?.types : nil
        for entry in gathered.entries {
            entries.append(entry.id)
            guard let event = LedgerEvent(entry, partition: partition, births: gathered.births),
                receiver.wants(event), types?.contains(event.type) ?? true
            else { continue }
            events.append(event)
        }
    }
}

extension LedgerEvent {
    fileprivate init(_ loss: LedgerLoss, partition: Int, births: LedgerBirths) {
        self.init(
            id: "\(partition)-lost-\(loss.total)-\(births.name(of: loss.entry))", entry: "", type: EventType.lost,
            timestamp: loss.timestamp, count: loss.count)
    }

    /// Nil where the entry is none, or its message cannot be read.
    fileprivate init?(_ entry: LedgerEntry, partition: Int, births: LedgerBirths) {
        guard let id = LedgerEntryID(entry.id), let type = entry.type else { return nil }
        self.init(
            id: "\(partition)-\(entry.id)-\(births.name(of: id))", entry: entry.id, type: type, userId: entry.user,
            roomId: entry.room, cause: entry.cause, timestamp: entry.timestamp ?? id.milliseconds)
        details = entry.details
        trace = entry.traceparent.flatMap { TraceContext($0) }
        guard let body = entry.body, let room = entry.room, let epoch = entry.epoch, let seq = entry.seq else { return }
        let position = Position(epoch: epoch, seq: seq)
        let message = body.withBytes {
            MessageBody.decode($0, room: RoomName(unchecked: room), position: position, timestamp: timestamp)
        }
        guard let message else { return nil }
        userId = message.userId.string
        self.message = LedgerEvent.Message(
            position: position, msgType: message.msgType, event: message.event, payload: message.payload,
            isRedacted: message.isRedacted, sender: message.except)
    }
}
