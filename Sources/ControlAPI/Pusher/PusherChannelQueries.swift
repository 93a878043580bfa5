import Dialects
import GatewayCore

/// `GET /apps/{appId}/channels?filter_by_prefix=&info=`: the channels that somebody is in.
struct PusherChannelsQuery: Sendable {
    /// Of one app, for one answer: the API knows no pages.
    private static let most = 100_000
    /// Of all apps and native ones: Redis goes through them all, in portions.
    private static let mostOfAll = 1_000_000

    private let app: PusherApp
    private let prefix: String
    private let info: PusherInfo

    init(_ target: RequestTarget, of app: PusherApp) throws(RequestError) {
        self.app = app
        prefix = try target.value("filter_by_prefix") ?? ""
        info = try PusherInfo(target.value("info"), among: [.userCount, .subscriptionCount])
        if info.contains(.userCount), !prefix.hasPrefix("presence-") {
            throw RequestError(.badRequest, "info: user_count needs filter_by_prefix to begin with presence-")
        }
    }

    func answer(from directory: any PresenceDirectory) async throws -> [UInt8] {
        let found = try await find(in: directory)
        let rooms = info.isEmpty ? [] : found.map(\.room)
        let records = try await directory.records(of: rooms)
        let channels = found.enumerated().map { index, entry in
            (channel: entry.channel, record: info.isEmpty ? nil : records[index])
        }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"channels":"#, to: &answer)
        JSONWriter.append(channels, info: info, to: &answer)
        JSONWriter.append("}", to: &answer)
        return answer
    }

    private func find(in directory: any PresenceDirectory) async throws -> [(channel: PusherChannel, room: RoomName)] {
        let span = RoomSpan(prefix: app.prefix + prefix, isWithoutForeign: app.isFirst && app.hasOthers)
        let (most, mostOfAll) = (PusherChannelsQuery.most, PusherChannelsQuery.mostOfAll)
        switch try await directory.rooms(in: span, upTo: most, among: mostOfAll) {
        case .all(let rooms): return rooms.compactMap { room in PusherChannel(room, of: app).map { ($0, room) } }
        case .tooMany: throw RequestError(.badRequest, "more than \(most) channels: GET /v1/rooms?app= has pages")
        case .amongTooMany:
            throw RequestError(
                .badRequest, "more than \(mostOfAll) rooms, all apps and native ones: GET /v1/rooms?app= has pages")
        case .abandoned: throw CancellationError()
        }
    }
}

/// `GET /apps/{appId}/channels/{channel}?info=`.
struct PusherChannelQuery: Sendable {
    private let channel: PusherChannel
    private let room: RoomName
    private let info: PusherInfo

    init(_ name: String, _ target: RequestTarget, of app: PusherApp) throws(RequestError) {
        (channel, room) = try PusherChannel.named(name, of: app)
        info = try PusherInfo(target.value("info"), among: [.userCount, .subscriptionCount, .cache])
        try info.check(channel)
    }

    /// - Parameter now: milliseconds since 1970.
    func answer(from directory: any PresenceDirectory, _ log: any MessageLog, now: Int64) async throws -> [UInt8] {
        let record = try await directory.room(room)
        let isOccupied = record?.isOccupied ?? false
        var answer: [UInt8] = []
        JSONWriter.append(isOccupied ? #"{"occupied":true"# : #"{"occupied":false"#, to: &answer)
        JSONWriter.append(info, of: channel, record, follows: true, to: &answer)
        if info.contains(.cache), let last = try await PusherCache(room).last(in: log, now: now) {
            JSONWriter.append(#","cache":{"data":"#, to: &answer)
            answer += last.data
            JSONWriter.append(#","ttl":"#, to: &answer)
            JSONWriter.append(integer: last.seconds, to: &answer)
            JSONWriter.append("}", to: &answer)
        }
        JSONWriter.append("}", to: &answer)
        return answer
    }
}

/// The last event of a cache channel, which the room's log holds like every other.
struct PusherCache: Sendable {
    /// As long as Pusher keeps it, in milliseconds.
    private static let life: Int64 = 30 * 60 * 1000

    private let room: RoomName

    init(_ room: RoomName) {
        self.room = room
    }

    /// Its data, as a JSON string, and for how many seconds more they are kept; nil where there are none.
    ///
    /// - Parameter now: milliseconds since 1970.
    func last(in log: any MessageLog, now: Int64) async throws -> (data: [UInt8], seconds: Int64)? {
        let page = try await log.history(of: room, range: HistoryRange(edge: .newest, limit: 1))
        guard let message = page.messages.last, !message.isRedacted else { return nil }
        let rest = min(PusherCache.life, message.timestamp + PusherCache.life - now)
        guard rest > 0 else { return nil }
        var data = message.payload
        if data.first != UInt8(ascii: "\"") {
            data = []
            JSONWriter.append(string: String(decoding: message.payload, as: UTF8.self), to: &data)
        }
        return (data, (rest + 999) / 1000)
    }
}

/// `GET /apps/{appId}/channels/{channel}/users`: who is in a presence channel.
struct PusherUsersQuery: Sendable {
    private static let most = 100_000
    private static let portion = 1000

    private let app: PusherApp
    private let room: RoomName

    init(_ name: String, of app: PusherApp) throws(RequestError) {
        self.app = app
        let named = try PusherChannel.named(name, of: app)
        guard named.channel.isPresence else {
            throw RequestError(.badRequest, "users are to be had of presence- channels alone")
        }
        room = named.room
    }

    func answer(from directory: any PresenceDirectory) async throws -> [UInt8] {
        var users = try await directory.invisibleMembers(of: room).map(\.userId)
        var seen = Set(users)
        var cursor: String?
        var isWhole = false
        // Pages need not be full.
        for _ in 0..<(2 * PusherUsersQuery.most / PusherUsersQuery.portion)
        where !isWhole && users.count <= PusherUsersQuery.most {
            let page = try await directory.members(of: room, limit: PusherUsersQuery.portion, cursor: cursor)
            users += page.members.map(\.userId).filter { seen.insert($0).inserted }
            cursor = page.next
            isWhole = cursor == nil
        }
        guard isWhole else {
            throw RequestError(
                .badRequest,
                "more than \(PusherUsersQuery.most) users: GET /v1/rooms/{roomId}/members has pages")
        }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"users":["#, to: &answer)
        JSONWriter.append(users.compactMap { app.name(of: $0) }, to: &answer) { name, bytes in
            JSONWriter.append(#"{"id":"#, to: &bytes)
            JSONWriter.append(string: name, to: &bytes)
            JSONWriter.append("}", to: &bytes)
        }
        JSONWriter.append("]}", to: &answer)
        return answer
    }
}

extension PusherChannel {
    /// The channel that a path names, and the room that it is; a user's own is none that may be asked about.
    fileprivate static func named(
        _ name: String, of app: PusherApp
    ) throws(RequestError) -> (channel: PusherChannel, room: RoomName) {
        guard let channel = PusherChannel(name), let room = channel.room(of: app), !room.isInbox else {
            throw RequestError(.badRequest, "channel: \(PusherChannel.rule)")
        }
        return (channel, room)
    }
}
