import GatewayCore
import RedisClient

/// What `gather` answered, read into a batch.
enum LedgerReply {
    /// Nil where the reply is `none`, or nothing that `gather` gives.
    static func batch(_ reply: RedisReply, partition: Int, for receiver: WebhookReceiver) -> LedgerBatch? {
        guard let kind = reply[0].string, let now = reply[1].integer, let lag = reply[2].integer,
            let births = reply[4].string.map(LedgerBirths.init)
        else { return nil }
        if kind == "loss" {
            guard let token = reply[5].string, let event = loss(token, partition: partition, births: births) else {
                return nil
            }
            return LedgerBatch(
                kind: .loss, events: [event], entries: [], hasMore: true, gatheredAt: now, lag: Int(lag), token: token)
        }
        let field = reply[5].string ?? ""
        var batch = LedgerBatch(
            kind: kind == "replay" ? .replay : .news, events: [], entries: [], hasMore: reply[3].integer == 1,
            gatheredAt: now, lag: Int(lag), token: field)
        let types = kind == "replay" ? replayTypes(field) : nil
        for index in 6..<max(6, reply.count) {
            guard let id = reply[index][0].string else { continue }
            batch.entries.append(id)
            guard let event = event(id, fields: reply[index][1], partition: partition, births: births),
                receiver.wants(event), types?.contains(event.type) ?? true
            else { continue }
            batch.events.append(event)
        }
        return batch
    }

    /// `count total entry timestamp`.
    private static func loss(_ token: String, partition: Int, births: LedgerBirths) -> LedgerEvent? {
        let fields = token.split(separator: " ")
        guard fields.count == 4, let count = Int(fields[0]), let entry = LedgerEntryID(fields[2]),
            let timestamp = Int64(fields[3])
        else { return nil }
        return LedgerEvent(
            id: "\(partition)-lost-\(fields[1])-\(births.name(of: entry))", entry: "", type: EventType.lost,
            timestamp: timestamp, count: count)
    }

    /// `from to types`.
    private static func replayTypes(_ field: String) -> Set<String>? {
        guard let types = field.split(separator: " ").last, types != "*" else { return nil }
        return Set(types.split(separator: ",").map(String.init))
    }

    private static func event(
        _ id: String, fields: RedisReply, partition: Int, births: LedgerBirths
    ) -> LedgerEvent? {
        guard let entry = LedgerEntryID(id) else { return nil }
        var values: [String: RedisReply] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            if let name = fields[index].string { values[name] = fields[index + 1] }
        }
        func text(_ name: String) -> String? {
            values[name]?.string.flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let type = text("t") else { return nil }
        var event = LedgerEvent(
            id: "\(partition)-\(id)-\(births.name(of: entry))", entry: id, type: type, userId: text("u"),
            roomId: text("r"), cause: text("c"), timestamp: values["m"]?.integer ?? entry.milliseconds)
        guard let body = values["b"], let room = event.roomId, let epoch = text("e"), let seq = values["q"]?.integer
        else { return event }
        let position = Position(epoch: epoch, seq: Int(seq))
        let message = body.withBytes {
            MessageBody.decode(
                $0, room: RoomName(unchecked: room), position: position, timestamp: event.timestamp)
        }
        guard let message else { return nil }
        event.userId = message.userId.string
        event.message = LedgerEvent.Message(position: position, msgType: message.msgType, payload: message.payload)
        return event
    }
}
