import Dialects
import GatewayCore

/// Pusher's HTTP API for the backends of all apps, on the same rooms and users as all else.
struct PusherAPI: Sendable {
    /// A call that bears the signature of its app.
    struct Admitted: Sendable {
        let app: PusherApp
        let action: PusherCall.Action
        let signing: PusherSigning
        let target: RequestTarget

        /// Whether what it says stands in a body.
        var takesBody: Bool {
            switch action {
            case .events, .batchEvents, .terminateConnections: true
            case .channels, .channel, .users: false
            }
        }
    }

    let apps: PusherApps
    let rates: AppRates
    let broadcaster: Broadcaster
    let log: any MessageLog
    let presence: any PresenceDirectory
    let lists = ChannelLists()
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - method: as the request spells it.
    ///   - path: as it stands in the request.
    ///   - query: the same, without its `?`.
    /// - Throws: `not_found` where there is no such app, or none at all; `unauthorized` without its signature, so that nobody else
    ///   spends the app's rate; 429 where that is spent.
    func admit(
        _ call: PusherCall, method: String, path: String, query: String, target: RequestTarget
    ) throws -> Admitted {
        guard !apps.isEmpty else { throw RequestError(.notFound, "there is nothing here") }
        let named = call.app.map { apps.app(withID: $0) }
        if case .some(nil) = named { throw RequestError(.notFound, "there is no app of this id") }
        let signing = try PusherSigning(method: method, path: path, query: query, target: target)
        guard let app = named ?? apps.app(withKey: signing.key) else {
            throw RequestError(.unauthorized, "auth_key: not the key of an app")
        }
        try signing.check(by: app, now: now() / 1000)
        try rates.spend(app)
        return Admitted(app: app, action: call.action, signing: signing, target: target)
    }

    /// The JSON that answers a call.
    ///
    /// - Parameters:
    ///   - body: empty where the call takes none; UTF-8.
    ///   - key: under which a repeated request is known again (`Idempotency-Key`).
    func answer(_ call: Admitted, body: [UInt8], key: String?) async throws -> [UInt8] {
        try call.signing.check(body)
        let app = call.app
        switch call.action {
        case .events: return try await trigger(body, isBatch: false, by: app, key: key)
        case .batchEvents: return try await trigger(body, isBatch: true, by: app, key: key)
        case .channels:
            let query = try PusherChannelsQuery(call.target, of: app)
            return try await lists.alone(for: app) { try await query.answer(from: presence) }
        case .channel(let name):
            return try await PusherChannelQuery(name, call.target, of: app).answer(from: presence, log, now: now())
        case .users(let name): return try await PusherUsersQuery(name, of: app).answer(from: presence)
        case .terminateConnections(let name):
            guard let user = app.user(named: name) else { throw RequestError(.badRequest, "user_id: \(UserID.rule)") }
            _ = try await presence.disconnect(user, Expulsion(text: CloseReason.forbidden.text))
            return Array("{}".utf8)
        }
    }

    /// Stores all or, where a field of any is wrong, none.
    private func trigger(_ body: [UInt8], isBatch: Bool, by app: PusherApp, key: String?) async throws -> [UInt8] {
        let triggers = try PusherTrigger.read(body, batch: isBatch, of: app)
        for key in triggers.map({ $0.idempotencyKey ?? key }) {
            guard key.map({ (1...128).contains($0.utf8.count) }) ?? true else {
                throw RequestError(.badRequest, "idempotency_key: must be 1 to 128 bytes")
            }
        }
        let requests = triggers.enumerated().map { index, trigger in
            Result<BroadcastRequest, RequestError>.success(
                trigger.broadcast(by: app, key: key, index: index, body: body))
        }
        for outcome in await broadcaster.send(requests) {
            switch outcome {
            case .failed(let error): throw error
            case .sent(let sent): for answer in sent.answers { _ = try answer.mapError(\.request).get() }
            }
        }
        return await described(triggers, isBatch: isBatch)
    }

    /// What was asked about the channels of the events; mostly nothing.
    ///
    /// Where it cannot be read channels stand without it: the events are stored by then, and a backend that is told of a
    /// failure sends them once more.
    private func described(_ triggers: [PusherTrigger], isBatch: Bool) async -> [UInt8] {
        guard triggers.contains(where: { !$0.info.isEmpty }) else { return Array("{}".utf8) }
        let rooms = triggers.flatMap { $0.info.isEmpty ? [] : $0.rooms }
        let records = try? await presence.records(of: rooms)  // Said above.
        var rest = (records ?? Array(repeating: nil, count: rooms.count))[...]
        var answer: [UInt8] = []
        JSONWriter.append(isBatch ? #"{"batch":["# : #"{"channels":"#, to: &answer)
        JSONWriter.append(triggers, to: &answer) { trigger, answer in
            let own = rest.prefix(trigger.info.isEmpty ? 0 : trigger.rooms.count)
            rest = rest.dropFirst(own.count)
            let channels = zip(trigger.channels, own).map { (channel: $0, record: $1) }
            let info = records == nil ? [] : trigger.info
            guard isBatch else { return JSONWriter.append(channels, info: info, to: &answer) }
            JSONWriter.append("{", to: &answer)
            if let one = channels.first {
                JSONWriter.append(info, of: one.channel, one.record, follows: false, to: &answer)
            }
            JSONWriter.append("}", to: &answer)
        }
        JSONWriter.append(isBatch ? "]}" : "}", to: &answer)
        return answer
    }
}

extension PresenceDirectory {
    /// What is known of each room, in their order; a few at once, so that a long list takes no longer than a few questions.
    func records(of rooms: [RoomName]) async throws -> [RoomRecord?] {
        var records: [RoomRecord?] = []
        var rest = rooms[...]
        while !rest.isEmpty {
            let few = rest.prefix(64)
            rest = rest.dropFirst(few.count)
            records += try await withThrowingTaskGroup(of: (Int, RoomRecord?).self) { tasks in
                for (index, room) in few.enumerated() {
                    tasks.addTask { (index, try await self.room(room)) }
                }
                var found = [RoomRecord?](repeating: nil, count: few.count)
                for try await (index, record) in tasks { found[index] = record }
                return found
            }
        }
        return records
    }
}

extension PusherApp {
    /// Who has made a call that the app has signed, as the audit says it.
    var caller: String { "pusher app \(id)" }
}
