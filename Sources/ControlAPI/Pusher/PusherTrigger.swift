import Crypto
import Dialects
import GatewayCore

/// An event that a backend triggers: the body of `POST /apps/{appId}/events`, or one element of a batch.
struct PusherTrigger: Sendable {
    let event: EventName
    /// The data as they came: a JSON string.
    let payload: [UInt8]
    /// Each once, in the order they were named first, and the rooms that they are.
    let channels: [PusherChannel]
    let rooms: [RoomName]
    /// The connection that is not sent it.
    let except: String?
    let info: PusherInfo
    let idempotencyKey: String?

    /// As many channels as one event may name, and as many events as a batch may hold.
    static let maxChannels = 100
    static let maxBatch = 10

    private static let attributes: PusherInfo = [.userCount, .subscriptionCount]

    /// - Parameter namesMany: whether several channels may be named, as in a batch they may not.
    /// - Throws: `bad_request` naming the field; `too_large` where the data are.
    init(_ object: JSONValue, of app: PusherApp, namesMany: Bool) throws(RequestError) {
        let fields = try ObjectFields(
            of: object,
            named: ["name", "data", "channel", "channels", "socket_id", "info", "idempotency_key"], path: "the event")
        event = try PusherTrigger.event(fields)
        payload = try PusherTrigger.payload(fields, upTo: app.maxEventBytes)
        channels = try PusherTrigger.channels(fields, namesMany: namesMany)
        var rooms: [RoomName] = []
        for channel in channels {
            guard let room = channel.room(of: app) else {
                throw RequestError(.badRequest, "channels: \(channel.name) is too long, or not to be had by this app")
            }
            rooms.append(room)
        }
        self.rooms = rooms
        except = try PusherTrigger.except(fields)
        info = try PusherInfo(fields.optional("info"), among: PusherTrigger.attributes)
        idempotencyKey = try fields.optional("idempotency_key")
    }

    /// The triggers of a whole body: of one event, or of a batch.
    static func read(
        _ body: [UInt8], batch: Bool, of app: PusherApp
    ) throws(RequestError) -> [PusherTrigger] {
        let read: Result<[PusherTrigger], RequestError> = body.withUnsafeBytes { bytes in
            Result { () throws(RequestError) in
                let value = try ObjectFields.value(of: bytes)
                guard batch else { return [try PusherTrigger(value, of: app, namesMany: true)] }
                return try self.batch(value, of: app)
            }
        }
        return try read.get()
    }

    private static func batch(_ value: JSONValue, of app: PusherApp) throws(RequestError) -> [PusherTrigger] {
        let fields = try ObjectFields(of: value, named: ["batch"], path: "the body", upTo: JSONScanner.maxTextDepth)
        guard let list = fields["batch"], let elements = try ObjectFields.elements(of: list),
            (1...maxBatch).contains(elements.count)
        else { throw RequestError(.badRequest, "batch: must be an array of 1 to \(maxBatch) events") }
        var triggers: [PusherTrigger] = []
        for (index, element) in elements.enumerated() {
            do throws(RequestError) {
                triggers.append(try PusherTrigger(element, of: app, namesMany: false))
            } catch {
                throw RequestError(error.code, "batch[\(index)]: \(error.message)")
            }
        }
        return triggers
    }

    /// - Parameters:
    ///   - key: of the whole request, where that has one.
    ///   - index: of the event in its request.
    func broadcast(by app: PusherApp, key: String?, index: Int, body: [UInt8]) -> BroadcastRequest {
        let idempotency = (idempotencyKey ?? key).map { key in
            BroadcastRequest.Idempotency(
                key: BroadcastRequest.Idempotency.key(of: app, "event \(index)", key),
                digest: HexDigits.text(SHA256.hash(data: body)))
        }
        return BroadcastRequest(
            to: rooms, event: event, payload: payload, idempotency: idempotency, except: except)
    }

    // MARK: Fields

    private static func event(_ fields: ObjectFields) throws(RequestError) -> EventName {
        guard let text = try fields.string("name") else { throw RequestError(.badRequest, "name: missing") }
        guard let event = EventName(text) else { throw RequestError(.badRequest, "name: \(EventName.rule)") }
        guard !text.hasPrefix("pusher:"), !text.hasPrefix("pusher_internal:") else {
            throw RequestError(.badRequest, "name: pusher: and pusher_internal: are the protocol's own")
        }
        return event
    }

    private static func payload(_ fields: ObjectFields, upTo maxBytes: Int) throws(RequestError) -> [UInt8] {
        guard let value = fields["data"] else { throw RequestError(.badRequest, "data: missing") }
        guard let text = value.string?.text else {
            throw RequestError(.badRequest, "data: must be a string; what is no text is encoded as JSON first")
        }
        guard text.utf8.count <= maxBytes else {
            throw RequestError(.tooLarge, "data: \(text.utf8.count) bytes, and \(maxBytes) are allowed")
        }
        return Array(value.bytes)
    }

    private static func channels(
        _ fields: ObjectFields, namesMany: Bool
    ) throws(RequestError) -> [PusherChannel] {
        switch (fields["channel"], fields["channels"]) {
        case (let one?, nil):
            return [try channel(one, path: "channel")]
        case (nil, let many?) where namesMany:
            guard let elements = try ObjectFields.elements(of: many), (1...maxChannels).contains(elements.count) else {
                throw RequestError(.badRequest, "channels: must be an array of 1 to \(maxChannels) names")
            }
            var seen: Set<PusherChannel> = []
            var channels: [PusherChannel] = []
            for (index, element) in elements.enumerated() {
                let named = try channel(element, path: "channels[\(index)]")
                if seen.insert(named).inserted { channels.append(named) }
            }
            return channels
        case _:
            throw RequestError(
                .badRequest, namesMany ? "channels: must be given, or else channel" : "channel: missing")
        }
    }

    private static func channel(_ value: JSONValue, path: String) throws(RequestError) -> PusherChannel {
        guard let channel = value.string?.text.flatMap({ PusherChannel($0) }) else {
            throw RequestError(.badRequest, "\(path): \(PusherChannel.rule)")
        }
        return channel
    }

    private static func except(_ fields: ObjectFields) throws(RequestError) -> String? {
        guard let text = try fields.optional("socket_id") else { return nil }
        guard PusherSocketID.isWellFormed(text) else {
            throw RequestError(.badRequest, "socket_id: must be two numbers with a full stop between them")
        }
        // One that no connection here can have leaves nobody out.
        return PusherSocketID(text)?.connectionID
    }
}

extension ObjectFields {
    /// A text; nil where it is not given, or `null`, as some libraries write what they were not told.
    fileprivate func optional(_ name: StaticString) throws(RequestError) -> String? {
        if case .null? = self[name]?.kind { return nil }
        return try string(name)
    }
}
