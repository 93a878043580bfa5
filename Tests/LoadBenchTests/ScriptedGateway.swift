import Foundation
import LoadBench
import Synchronization

/// As much of a gateway as the scenarios need, on threads of this process, with one wrong thing that it does.
final class ScriptedGateway: Sendable {
    enum Wrong: Sendable {
        case nothing
        /// The first missed message of each room is not replayed.
        case losesReplay
        /// The last missed message is replayed twice.
        case repeatsReplay
        case swapsReplay
        case forgetsSessions
        /// The first member of a room is never told of a churner's third join.
        case losesJoin
        case repeatsLeave
        case miscountsMembers
    }

    private struct Room {
        var log: [String] = []
        /// Descriptor to user, in the order they came.
        var members: [(descriptor: Int32, user: String)] = []
        var version = 100
        var churnerJoins = 0
    }

    private struct State {
        var rooms: [String: Room] = [:]
        var sessions: Set<String> = []
        var everyone: [String] = []
        var users: [Int32: String] = [:]
        var paths: [String] = []
    }

    let port: UInt16
    private let listener: Int32
    private let wrong: Wrong
    private let state = Mutex(State())

    init(_ wrong: Wrong = .nothing) throws {
        (listener, port) = try FloorServer.open()
        self.wrong = wrong
        _ = fcntl(listener, F_SETFL, 0)
        Thread { [self] in
            while true {
                let peer = accept(listener, nil, nil)
                guard peer >= 0 else { return }
                Thread { [self] in
                    serve(peer)
                    state.withLock { state in
                        state.users[peer] = nil
                        for name in state.rooms.keys { state.rooms[name]?.members.removeAll { $0.descriptor == peer } }
                        close(peer)
                    }
                }.start()
            }
        }.start()
    }

    /// Ends the listener; its threads end with the tool's connections.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// The paths that were asked for, as they came.
    var paths: [String] { state.withLock { $0.paths } }

    var target: LoopbackTarget { .localhost(port: port) }

    private func serve(_ peer: Int32) {
        var input = Input(descriptor: peer)
        while let head = input.head() {
            let path = head.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            state.withLock { $0.paths.append(path) }
            if path.hasPrefix("/ws") || path.hasPrefix("/sub") { return talk(&input, peer, path) }
            guard let body = input.body(of: head) else { return }
            let answer = path.hasPrefix("/pub") ? publishBare(path, body) : publish(body)
            write(peer, "HTTP/1.1 \(answer) OK\r\nContent-Length: 2\r\n\r\n{}")
        }
    }

    private func talk(_ input: inout Input, _ peer: Int32, _ path: String) {
        let upgraded =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        let query = Dictionary(
            path.split(separator: "?").last.map(String.init)?.split(separator: "&").compactMap { pair in
                let parts = pair.split(separator: "=", maxSplits: 1)
                return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
            } ?? [], uniquingKeysWith: { $1 })
        if let id = query["id"] {
            // Nothing else tells such a subscriber that it is one.
            state.withLock { state in
                state.rooms[id, default: Room()].members.append((peer, ""))
                write(peer, upgraded)
            }
        } else {
            write(peer, upgraded)
            let user = query["userId"] ?? "token"
            state.withLock { state in
                state.users[peer] = user
                let isResumed =
                    query["session"].map { state.sessions.contains($0) && wrong != .forgetsSessions } ?? false
                state.sessions.insert("s-\(user)")
                tell(
                    peer,
                    #"{"type":"welcome","session":"s-\#(user)","resumed":\#(isResumed),"positions":{"*":{"epoch":"e","seq":\#(state.everyone.count)}}}"#
                )
            }
        }
        while let text = input.frame() { state.withLock { answer(text, peer, &$0) } }
    }

    private func answer(_ text: String, _ peer: Int32, _ state: inout State) {
        let user = state.users[peer] ?? ""
        // A resume names its room as a key.
        let key = text.split(separator: "\"").first { $0.hasPrefix("bench-") }.map(String.init)
        let room = Self.value(of: "roomId", in: text) ?? key ?? ""
        switch Self.value(of: "type", in: text) {
        case "join":
            state.rooms[room, default: Room()].version += 1
            let present = state.rooms[room] ?? Room()
            tell(
                peer,
                #"{"type":"joined","id":1,"roomId":"\#(room)","epoch":"e","seq":\#(present.log.count),"recovered":true,"members":1,"rosterVersion":\#(present.version)}"#
            )
            tellPresence("join", user, room, &state)
            state.rooms[room]?.members.append((peer, user))
        case "leave":
            state.rooms[room]?.members.removeAll { $0.descriptor == peer }
            state.rooms[room]?.version += 1
            tell(peer, #"{"type":"left","id":2,"roomId":"\#(room)"}"#)
            tellPresence("leave", user, room, &state)
        case "members":
            let count = (state.rooms[room]?.members.count ?? 0) + (wrong == .miscountsMembers ? 1 : 0)
            tell(peer, #"{"type":"members","id":3,"roomId":"\#(room)","members":[],"count":\#(count)}"#)
        case "resume": replay(text, room, peer, &state)
        default: break
        }
    }

    private func tellPresence(_ event: String, _ user: String, _ room: String, _ state: inout State) {
        guard let present = state.rooms[room] else { return }
        let isChurner = user.hasPrefix("bench-c-")
        if isChurner, event == "join" { state.rooms[room]?.churnerJoins += 1 }
        let isLost = wrong == .losesJoin && isChurner && event == "join" && present.churnerJoins == 2
        let times = wrong == .repeatsLeave && isChurner && event == "leave" ? 2 : 1
        for (place, member) in present.members.enumerated() where !(isLost && place == 0) {
            for _ in 0..<times {
                tell(
                    member.descriptor,
                    #"{"type":"presence","roomId":"\#(room)","events":[{"event":"\#(event)","userId":"\#(user)"}],"members":1,"rosterVersion":\#(present.version),"timestamp":1}"#
                )
            }
        }
    }

    private func replay(_ text: String, _ room: String, _ peer: Int32, _ state: inout State) {
        let log = state.rooms[room]?.log ?? []
        let since = text.split(separator: "\"seq\":").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        tell(
            peer,
            #"{"type":"resumed","id":1,"rooms":[{"roomId":"\#(room)","epoch":"e","seq":\#(log.count),"recovered":true}]}"#
        )
        var missed = Array(log[since...])
        if wrong == .losesReplay { missed.removeFirst() }
        if wrong == .swapsReplay { missed.swapAt(0, 1) }
        if wrong == .repeatsReplay, let last = missed.last { missed.append(last) }
        for frame in missed { tell(peer, frame) }
        state.rooms[room]?.members.append((peer, state.users[peer] ?? ""))
    }

    /// Takes what `/v1/broadcast` and `/v1/broadcast/batch` do.
    private func publish(_ body: String) -> Int {
        state.withLock { state in
            for part in body.split(separator: #"{"to":"#).dropFirst(body.hasPrefix(#"{"to":"#) ? 0 : 1) {
                let payload = "\"" + (part.split(separator: #""payload":""#).last?.prefix { $0 != "\"" } ?? "") + "\""
                guard let name = part.split(separator: "\"").first(where: { $0.hasPrefix("bench-") }) else {
                    state.everyone.append(payload)
                    let frame = Self.message("*", payload, state.everyone.count)
                    for peer in state.users.keys { tell(peer, frame) }
                    continue
                }
                let room = String(name)
                let frame = Self.message(room, payload, (state.rooms[room]?.log.count ?? 0) + 1)
                state.rooms[room, default: Room()].log.append(frame)
                for member in state.rooms[room]?.members ?? [] { tell(member.descriptor, frame) }
            }
        }
        return 200
    }

    private func publishBare(_ path: String, _ body: String) -> Int {
        state.withLock { state in
            let room = state.rooms[path.split(separator: "=").last.map(String.init) ?? ""]
            for member in room?.members ?? [] { tell(member.descriptor, body) }
        }
        return 201
    }

    private static func message(_ room: String, _ payload: String, _ seq: Int) -> String {
        #"{"type":"message","roomId":"\#(room)","userId":"system","msgType":1,"payload":\#(payload),"timestamp":1,"seq":\#(seq)}"#
    }

    private static func value(of key: String, in text: String) -> String? {
        let parts = text.split(separator: "\"\(key)\":\"", omittingEmptySubsequences: false)
        return parts.count > 1 ? String(parts[1].prefix { $0 != "\"" }) : nil
    }

    private func tell(_ peer: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        let head: [UInt8] =
            bytes.count < 126
            ? [0x81, UInt8(bytes.count)] : [0x81, 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)]
        let frame = head + bytes
        _ = send(peer, frame, frame.count, Int32(MSG_NOSIGNAL))
    }

    private func write(_ peer: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        _ = send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}

/// What one connection sends, read by a thread that may wait.
private struct Input {
    let descriptor: Int32
    private var bytes: [UInt8] = []

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Up to the empty line; nil at the end.
    mutating func head() -> String? {
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if let head = text.split(separator: "\r\n\r\n", omittingEmptySubsequences: false).first,
                head.utf8.count < bytes.count
            {
                bytes.removeFirst(head.utf8.count + 4)
                return String(head)
            }
            guard more() else { return nil }
        }
    }

    mutating func body(of head: String) -> String? {
        let length = head.split(separator: "Content-Length: ").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        return take(length).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The text of one masked frame.
    mutating func frame() -> String? {
        guard let start = take(2) else { return nil }
        var length = Int(start[1] & 0x7F)
        if length == 126 {
            guard let rest = take(2) else { return nil }
            length = Int(rest[0]) << 8 | Int(rest[1])
        }
        guard let mask = take(4), let payload = take(length) else { return nil }
        return String(decoding: payload.enumerated().map { $1 ^ mask[$0 % 4] }, as: UTF8.self)
    }

    private mutating func take(_ count: Int) -> [UInt8]? {
        while bytes.count < count { guard more() else { return nil } }
        defer { bytes.removeFirst(count) }
        return Array(bytes.prefix(count))
    }

    private mutating func more() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        bytes += chunk[..<count]
        return true
    }
}
