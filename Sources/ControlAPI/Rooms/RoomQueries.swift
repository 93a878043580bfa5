import Dialects
import GatewayCore
import Hummingbird

/// `GET /v1/rooms?limit=&cursor=&prefix=`: the rooms that somebody is in.
struct RoomsQuery: Sendable {
    let page: PageQuery
    /// What the names begin with; nil for all.
    let prefix: String?
    /// The app whose rooms are meant; nil: all.
    let scope: AppScope?

    init(target: RequestTarget, of scope: AppScope?) throws(RequestError) {
        page = try PageQuery(target: target)
        prefix = try target.value("prefix")
        self.scope = scope
        if let prefix, RoomName(room: prefix) == nil {
            throw RequestError(.badRequest, "prefix: must be what the name of a room can begin with")
        }
    }

    private func isSought(_ name: String) -> Bool {
        guard let name = scope == nil ? name : scope?.own(name) else { return false }
        return name.utf8.starts(with: (prefix ?? "").utf8)
    }

    func answer(from directory: any PresenceDirectory) async throws -> Response {
        let rooms: NamePage
        if prefix != nil || scope != nil {
            rooms = try await page.names(sealedBy: scope?.seal, where: isSought) { limit, cursor in
                let part = try await directory.rooms(limit: limit, cursor: cursor)
                return NamePage(names: part.rooms.map(\.string), next: part.next)
            }
        } else {
            let page = try await directory.rooms(limit: page.limit, cursor: page.cursor)
            rooms = NamePage(names: page.rooms.map(\.string), next: page.next, total: page.total)
        }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"rooms":["#, to: &answer)
        JSONWriter.append(rooms.names, to: &answer) { room, bytes in
            JSONWriter.append(#"{"roomId":"#, to: &bytes)
            JSONWriter.append(string: room, to: &bytes)
            JSONWriter.append("}", to: &bytes)
        }
        JSONWriter.append("]", to: &answer)
        JSONWriter.append(next: rooms.next, to: &answer)
        if let total = rooms.total {
            JSONWriter.append(#","total":"#, to: &answer)
            JSONWriter.append(integer: total, to: &answer)
        }
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

/// `GET /v1/rooms/{roomId}`: one room, an inbox or everyone.
struct RoomQuery: Sendable {
    let room: RoomName

    init(room: String) throws(RequestError) {
        self.room = try RoomName(path: room)
    }

    func answer(from directory: any PresenceDirectory, _ governor: any RoomGovernor) async throws -> Response {
        async let governed = governor.state(of: room)
        async let appointed = governor.roles(in: room)
        let found = try await directory.room(room)
        let (state, roles) = (try await governed, try await appointed)
        guard found != nil || state.isGoverned else {
            throw Refusal.notFound("this room has neither members nor a log nor settings")
        }
        let record = found ?? RoomRecord(room: room, members: 0, connections: 0, head: nil)
        var answer: [UInt8] = []
        JSONWriter.append(#"{"roomId":"#, to: &answer)
        JSONWriter.append(string: record.room.string, to: &answer)
        JSONWriter.append(#","members":"#, to: &answer)
        JSONWriter.append(integer: record.members, to: &answer)
        JSONWriter.append(#","connections":"#, to: &answer)
        JSONWriter.append(integer: record.connections, to: &answer)
        if let head = record.head {
            JSONWriter.append(#","epoch":"#, to: &answer)
            JSONWriter.append(string: head.epoch, to: &answer)
        }
        JSONWriter.append(#","seq":"#, to: &answer)
        JSONWriter.append(integer: record.head?.seq ?? 0, to: &answer)
        NativeDialect().append(state.isGoverned ? state : .absent, into: &answer)
        JSONWriter.append(roles, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

/// `GET /v1/rooms/{roomId}/members?limit=&cursor=`.
struct MembersQuery: Sendable {
    let room: RoomName
    let page: PageQuery

    init(room: String, target: RequestTarget) throws(RequestError) {
        self.room = try RoomName(path: room)
        page = try PageQuery(target: target)
    }

    func answer(from directory: any PresenceDirectory) async throws -> Response {
        var members = try await directory.members(of: room, limit: page.limit, cursor: page.cursor)
        let invisible = try await directory.invisibleMembers(of: room)
        members.count += invisible.count
        // Few as they are they stand on the first page, which may be longer for them.
        if page.cursor == nil { members.members += invisible }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"roomId":"#, to: &answer)
        JSONWriter.append(string: room.string, to: &answer)
        JSONWriter.append(#","members":["#, to: &answer)
        JSONWriter.append(members.members, to: &answer) { JSONWriter.append(member: $0, to: &$1) }
        JSONWriter.append(#"],"count":"#, to: &answer)
        JSONWriter.append(integer: members.count, to: &answer)
        JSONWriter.append(#","rosterVersion":"#, to: &answer)
        JSONWriter.append(integer: members.rosterVersion, to: &answer)
        JSONWriter.append(next: members.next, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

extension RoomName {
    /// A room of any kind as a path names it, decoded.
    init(path text: String) throws(RequestError) {
        guard let room = RoomName(text) else { throw RequestError(.badRequest, "roomId: not a room name") }
        if room.isInbox { _ = try UserID(path: String(Substring(text.utf8.dropFirst()))) }
        self = room
    }
}

extension JSONWriter {
    fileprivate static func append(member: Member, to bytes: inout [UInt8]) {
        append(#"{"userId":"#, to: &bytes)
        append(string: member.userId.string, to: &bytes)
        append(#","info":"#, to: &bytes)
        bytes.append(contentsOf: member.info)
        append(#","connections":"#, to: &bytes)
        append(integer: member.connections, to: &bytes)
        append("}", to: &bytes)
    }
}
