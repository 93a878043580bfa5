import Dialects
import GatewayCore
import Testing

/// The contract's examples of presence, sessions and recovery, and what one side writes and the other reads.
@Suite struct NativePresenceTests {
    let dialect = NativeDialect()
    private let room = RoomName(unchecked: "r")
    private let inbox = RoomName(unchecked: "@u")
    private let seven = RequestID(json: Array("7".utf8))

    private func said(_ frame: String) throws -> ClientCommand { try dialect.decode(frame).get().command }

    private func frame(of event: ServerEvent) -> String {
        var bytes: [UInt8] = []
        dialect.encode(event, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func heard(_ frame: String) throws -> ServerEvent {
        try Array(frame.utf8).withUnsafeBytes { try dialect.decodeEvent($0).get() }
    }

    private func user(_ name: String) -> UserID { UserID(unchecked: name) }

    @Test func `a join says what the client has seen, with an epoch or without`() throws {
        let asked: [(String, ClientPosition)] = [
            (#"{"epoch":"e","seq":41}"#, ClientPosition(epoch: "e", seq: 41)),
            (#"{ "seq" : 0 }"#, ClientPosition(epoch: nil, seq: 0)),
            (#"{"seq":9223372036854775807,"epoch":"","more":{"seq":1}}"#, ClientPosition(epoch: "", seq: .max)),
            (#"{"s\u0065q":1,"epoch":"\u0065"}"#, ClientPosition(epoch: "e", seq: 1)),
        ]
        for (since, expected) in asked {
            guard case .join(let room, let position) = try said(#"{"type":"join","roomId":"r","since":\#(since)}"#)
            else { throw Unexpected() }
            #expect(room.string == "r")
            #expect(position == expected)
        }
    }

    @Test func `resume takes rooms proper, the inbox and everyone, up to 1,002`() throws {
        let frame =
            #"{"type":"resume","id":1,"since":{"r":{"epoch":"e","seq":41},"@u":{"seq":3},"*":{"epoch":"f","seq":0}}}"#
        guard case .resume(let since) = try said(frame) else { throw Unexpected() }
        #expect(
            since == [
                room: ClientPosition(epoch: "e", seq: 41), inbox: ClientPosition(epoch: nil, seq: 3),
                .everyone: ClientPosition(epoch: "f", seq: 0),
            ])
        guard case .resume(let nothing) = try said(#"{"type":"resume","since":{}}"#) else { throw Unexpected() }
        #expect(nothing.isEmpty)

        let entries = (0..<1003).map { #""r\#($0)":{"seq":\#($0)}"# }
        let most = entries.dropLast().joined(separator: ",")
        guard case .resume(let all) = try said(#"{"type":"resume","since":{\#(most)}}"#) else { throw Unexpected() }
        #expect(all.count == 1002)
        #expect(all[RoomName(unchecked: "r1001")]?.seq == 1001)
        guard
            case .failure(let refused) = dialect.decode(
                #"{"type":"resume","since":{\#(entries.joined(separator: ","))}}"#)
        else { throw Unexpected() }
        #expect(refused.error == RequestError(.badRequest, "since: more than 1002 rooms"))
    }

    @Test func `members are asked for by the hundred unless told`() throws {
        guard case .members(room, limit: 100, cursor: nil) = try said(#"{"type":"members","id":4,"roomId":"r"}"#),
            case .members(room, limit: 1000, cursor: "c\"") = try said(
                #"{"type":"members","roomId":"r","limit":1000,"cursor":"c\""}"#)
        else { throw Unexpected() }
    }

    @Test func `watch, unwatch and signal are read`() throws {
        guard case .watch(let watched) = try said(#"{"type":"watch","id":6,"users":["a","é|\u0041"]}"#),
            case .unwatch(let unwatched) = try said(#"{"type":"unwatch","users":["a"]}"#)
        else { throw Unexpected() }
        #expect(watched == [user("a"), user("é|A")])
        #expect(unwatched == [user("a")])
        let users = (0..<1000).map { "\"u\($0)\"" }.joined(separator: ",")
        guard case .watch(let all) = try said(#"{"type":"watch","users":[\#(users)]}"#) else { throw Unexpected() }
        #expect(all.count == 1000)

        let frame = #"{"type":"signal","id":7,"to":"bob","roomId":"r","payload":{ "sdp" : 1e400 }}"#
        guard case .signal(let to, room, let payload) = try said(frame) else { throw Unexpected() }
        #expect(to.string == "bob")
        #expect(String(decoding: payload, as: UTF8.self) == #"{ "sdp" : 1e400 }"#)
    }

    @Test(arguments: [
        (#""type":"join","roomId":"r","since":5"#, "since: must be an object with epoch and seq"),
        (#""type":"join","roomId":"r","since":null"#, "since: must be an object with epoch and seq"),
        (#""type":"join","roomId":"r","since":{}"#, "since.seq: missing"),
        (#""type":"presence","roomId":"r""#, "info: missing"),
        (#""type":"presence","info":[]"#, "info: must be an object"),
        (#""type":"presence","info":"{}""#, "info: must be an object"),
        (#""type":"presence","info":{},"info":{}"#, "info: given twice"),
        (#""type":"presence","roomId":7,"info":{}"#, "roomId: must be a string"),
        (
            #""type":"presence","info":{"a":"\#(String(repeating: "x", count: 2041))"}"#,
            "info: longer than 2048 bytes"
        ),
        (#""type":"state""#, "state: missing"),
        (#""type":"state","state":"asleep""#, "state: must be active, away or invisible"),
        (#""type":"join","roomId":"r","last":0"#, "last: must be an integer from 1 to 100"),
        (#""type":"join","roomId":"r","last":101"#, "last: must be an integer from 1 to 100"),
        (#""type":"join","roomId":"r","last":1,"since":{"seq":1}"#, "last: cannot be given together with since"),
        (#""type":"join","roomId":"r","since":{"epoch":"e"}"#, "since.seq: missing"),
        (
            #""type":"join","roomId":"r","since":{"seq":-1}"#,
            "since.seq: must be an integer from 0 to 9223372036854775807"
        ),
        (
            #""type":"join","roomId":"r","since":{"seq":"1"}"#,
            "since.seq: must be an integer from 0 to 9223372036854775807"
        ),
        (#""type":"join","roomId":"r","since":{"seq":1,"seq":2}"#, "since.seq: given twice"),
        (#""type":"join","roomId":"r","since":{"seq":1,"epoch":"a","ep\u006fch":"b"}"#, "since.epoch: given twice"),
        (#""type":"join","roomId":"r","since":{"seq":1,"epoch":5}"#, "since.epoch: must be a string"),
        (#""type":"join","roomId":"r","since":{"seq":1,"epoch":null}"#, "since.epoch: must be a string"),
        (#""type":"join","roomId":"r","since":{"seq":1,"epoch":"\ud800"}"#, "since.epoch: half a surrogate pair"),
        (
            #""type":"join","roomId":"r","since":{"seq":1,"epoch":"\#(String(repeating: "e", count: 129))"}"#,
            "since.epoch: longer than 128 bytes"
        ),
        (#""type":"join","roomId":"r","since":{"seq":1},"since":{"seq":1}"#, "since: given twice"),
        (#""type":"resume""#, "since: missing"),
        (#""type":"resume","since":[]"#, "since: must be an object"),
        (#""type":"resume","since":{"r":5}"#, "since: must be an object with epoch and seq"),
        (#""type":"resume","since":{"a b":{"seq":1}}"#, "since: not the name of a room"),
        (#""type":"resume","since":{"@":{"seq":1}}"#, "since: not the name of a room"),
        (#""type":"resume","since":{"r":{"seq":1},"\u0072":{"seq":2}}"#, "since: a room given twice"),
        (#""type":"resume","since":{"r":{"seq":1.5}}"#, "since.seq: must be an integer from 0 to 9223372036854775807"),
        (#""type":"members""#, "roomId: missing"),
        (#""type":"members","roomId":"r","limit":0"#, "limit: must be an integer from 1 to 1000"),
        (#""type":"members","roomId":"r","limit":1001"#, "limit: must be an integer from 1 to 1000"),
        (#""type":"members","roomId":"r","cursor":5"#, "cursor: must be a string"),
        (#""type":"members","roomId":"r","cursor":"a","cursor":"b""#, "cursor: given twice"),
        (#""type":"watch""#, "users: missing"),
        (#""type":"watch","users":{}"#, "users: must be an array"),
        (#""type":"watch","users":"a""#, "users: must be an array"),
        (#""type":"watch","users":[]"#, "users: must be 1 to 1000"),
        (
            #""type":"unwatch","users":[\#((0...1000).map { "\"u\($0)\"" }.joined(separator: ","))]"#,
            "users: must be 1 to 1000"
        ),
        (#""type":"unwatch","users":["a",5]"#, "users: not the name of a user"),
        (#""type":"unwatch","users":["a",""]"#, "users: not the name of a user"),
        (#""type":"unwatch","users":["\u0007"]"#, "users: not the name of a user"),
        (#""type":"watch","users":["a"],"users":["a"]"#, "users: given twice"),
        (#""type":"signal","roomId":"r","payload":1"#, "to: missing"),
        (#""type":"signal","roomId":"r","payload":1,"to":["bob"]"#, "to: must be a string"),
        (#""type":"signal","roomId":"r","payload":1,"to":"""#, "to: not the name of a user"),
        (#""type":"signal","roomId":"r","payload":1,"to":"a","to":"b""#, "to: given twice"),
        (#""type":"signal","to":"bob","payload":1"#, "roomId: missing"),
        (#""type":"signal","to":"bob","roomId":"r""#, "payload: missing"),
    ])
    func `a bad request is refused by the name of its field`(fields: String, message: String) throws {
        guard case .failure(let refused) = dialect.decode(#"{"id":7,\#(fields)}"#) else {
            Issue.record("it was read")
            return
        }
        #expect(refused.error == RequestError(.badRequest, message))
        #expect(refused.id == seven)
    }

    /// Each frame with what the client reads out of it again; `to` of a signal and the like are not in the frames.
    @Test func `every frame of the gateway is written as the contract shows it, and read by the client`() throws {
        let position = Position(epoch: "e", seq: 43)
        let roster = RosterState(members: 2, version: 9, timestamp: 0)
        let join = RosterEvent(kind: .join, userId: user("u"), info: Array("{}".utf8), connection: nil)
        let leave = RosterEvent(kind: .leave, userId: user("v\""), info: nil, connection: nil)
        let update = RosterEvent(kind: .update, userId: user("w"), info: Array(#"{"a": 2}"#.utf8), connection: nil)
        let page = [Member(userId: user("u"), info: Array(#"{"a": 1}"#.utf8), connections: 1)]
        let statuses = [
            UserStatus(userId: user("a"), isOnline: true, lastSeen: nil),
            UserStatus(userId: user("b"), isOnline: false, lastSeen: 5),
            UserStatus(userId: user("c"), isOnline: false, lastSeen: nil, refusal: .forbidden),
        ]
        let written: [(ServerEvent, String)] = [
            (
                .joined(id: seven, Joined(room: room, position: position, recovered: true, roster: roster)),
                #"{"type":"joined","id":7,"roomId":"r","epoch":"e","seq":43,"recovered":true,"members":2,"rosterVersion":9}"#
            ),
            (
                .joined(id: nil, Joined(room: .everyone, position: position, recovered: false, roster: nil)),
                #"{"type":"joined","roomId":"*","epoch":"e","seq":43,"recovered":false}"#
            ),
            (
                .resumed(
                    id: seven,
                    rooms: [
                        ResumedRoom(room: room, outcome: .joined(position: position, recovered: true)),
                        ResumedRoom(room: inbox, outcome: .joined(position: position, recovered: false)),
                        ResumedRoom(room: RoomName(unchecked: "s"), outcome: .refused(.forbidden)),
                    ]),
                #"{"type":"resumed","id":7,"rooms":[{"roomId":"r","epoch":"e","seq":43,"recovered":true},"#
                    + #"{"roomId":"@u","epoch":"e","seq":43,"recovered":false},{"roomId":"s","code":"forbidden"}]}"#
            ),
            (.resumed(id: nil, rooms: []), #"{"type":"resumed","rooms":[]}"#),
            (
                .members(id: seven, room: room, page: MemberPage(members: page, count: 1, rosterVersion: 9, next: "c")),
                #"{"type":"members","id":7,"roomId":"r","members":[{"userId":"u","info":{"a": 1},"connections":1}],"#
                    + #""count":1,"rosterVersion":9,"next":"c"}"#
            ),
            (
                .members(id: nil, room: room, page: MemberPage(members: [], count: 0, rosterVersion: 9, next: nil)),
                #"{"type":"members","roomId":"r","members":[],"count":0,"rosterVersion":9}"#
            ),
            (
                .presence(RosterChange(room: room, events: [join, leave], members: 3, version: 9, timestamp: 5)),
                #"{"type":"presence","roomId":"r","events":[{"event":"join","userId":"u","info":{}},"#
                    + #"{"event":"leave","userId":"v\""}],"members":3,"rosterVersion":9,"timestamp":5}"#
            ),
            (
                .presence(RosterChange(room: room, events: [], members: 3, version: 9, timestamp: 5)),
                #"{"type":"presence","roomId":"r","events":[],"members":3,"rosterVersion":9,"timestamp":5}"#
            ),
            (
                .presence(
                    RosterChange(room: room, events: [update], from: 4, members: 3, version: 9, timestamp: 5)),
                #"{"type":"presence","roomId":"r","events":[{"event":"update","userId":"w","info":{"a": 2}}],"#
                    + #""members":3,"from":4,"rosterVersion":9,"timestamp":5}"#
            ),
            (
                .watching(id: seven, users: statuses),
                #"{"type":"watching","id":7,"users":[{"userId":"a","online":true},{"userId":"b","online":false,"lastSeen":5},"#
                    + #"{"userId":"c","code":"forbidden"}]}"#
            ),
            (
                .status(StatusChange(userId: user("a"), isOnline: true, timestamp: 5)),
                #"{"type":"status","userId":"a","online":true,"timestamp":5}"#
            ),
            (
                .signal(Signal(room: room, from: user("a"), to: user(""), payload: Array("[ 1]".utf8))),
                #"{"type":"signal","roomId":"r","from":"a","payload":[ 1]}"#
            ),
            (.acknowledged(id: seven), #"{"type":"ack","id":7}"#),
            (.acknowledged(id: nil), #"{"type":"ack"}"#),
        ]
        for (event, text) in written {
            #expect(frame(of: event) == text)
            #expect(String(describing: try heard(text)) == String(describing: event))
        }
    }

    @Test func `events of a later gateway are passed over, and leave their steps behind`() throws {
        let frame =
            #"{"type":"presence","roomId":"r","events":[{"event":"dance","userId":"u","with":["v"]},"#
            + #"{"event":"leave","userId":"v"}],"members":3,"rosterVersion":9,"timestamp":5}"#
        guard case .presence(let change) = try heard(frame) else { throw Unexpected() }
        #expect(change.events.map(\.kind) == [.leave])
        #expect((change.from, change.version) == (7, 9))
    }

    @Test func `a leave tells nothing of the user but the name`() {
        let leave = RosterEvent(kind: .leave, userId: user("v"), info: Array("{}".utf8), connection: "c")
        let change = RosterChange(room: room, events: [leave], members: 0, version: 9, timestamp: 5)
        #expect(
            frame(of: .presence(change))
                == #"{"type":"presence","roomId":"r","events":[{"event":"leave","userId":"v"}],"members":0,"rosterVersion":9,"timestamp":5}"#
        )
    }

    @Test func `requests are read as they were meant`() throws {
        let commands: [ClientCommand] = [
            .join(room: inbox, since: ClientPosition(epoch: "e\"", seq: 0)),
            .join(room: room, since: ClientPosition(epoch: nil, seq: .max)),
            .resume(since: [:]), .resume(since: [.everyone: ClientPosition(epoch: nil, seq: 7)]),
            .members(room: room, limit: 1, cursor: nil), .members(room: room, limit: 1000, cursor: "\u{1}"),
            .watch(users: [user("a\"\\"), user("é")]), .unwatch(users: [user("b")]),
            .signal(to: user("b|\""), room: room, payload: Array("{ }".utf8)),
        ]
        for command in commands {
            var bytes: [UInt8] = []
            dialect.encode(ClientRequest(id: seven, command: command), into: &bytes)
            let read = try bytes.withUnsafeBytes { try dialect.decode($0).get() }
            #expect(read.id == seven)
            #expect(String(describing: read.command) == String(describing: command))
        }
        let since = Dictionary(
            uniqueKeysWithValues: (0..<500).map {
                (RoomName(unchecked: "r\($0)"), ClientPosition(epoch: $0 % 2 == 0 ? "e\($0)" : nil, seq: $0))
            })
        var bytes: [UInt8] = []
        dialect.encode(ClientRequest(command: .resume(since: since)), into: &bytes)
        guard case .resume(let read) = try bytes.withUnsafeBytes({ try dialect.decode($0).get() }).command else {
            throw Unexpected()
        }
        #expect(read == since)
    }

    @Test(arguments: [
        (#"{"type":"joined","roomId":"r","epoch":"e","seq":1}"#, "recovered: missing"),
        (#"{"type":"joined","roomId":"r","epoch":"e","seq":1,"recovered":1}"#, "recovered: must be true or false"),
        (#"{"type":"joined","roomId":"r","epoch":"e","seq":1,"recovered":true,"rosterVersion":1}"#, "members: missing"),
        (#"{"type":"resumed","rooms":{}}"#, "rooms: must be an array"),
        (#"{"type":"resumed","rooms":[5]}"#, "not JSON: unexpected character at byte 0"),
        (#"{"type":"resumed","rooms":[{"roomId":"r"}]}"#, "epoch: missing"),
        (#"{"type":"presence","roomId":"r","events":[{"event":"join","userId":"u"}],"members":3}"#, "info: missing"),
        (#"{"type":"watching","users":[{"userId":"u"}]}"#, "online: missing"),
        (#"{"type":"signal","roomId":"r","payload":1}"#, "from: missing"),
        (#"{"type":"signal","roomId":"r","from":"","payload":1}"#, "from: not the name of a user"),
        (#"{"type":"ack","roomId":"r"}"#, "timestamp: missing"),
        (#"{"type":"ack","roomId":"r","seq":"1"}"#, "seq: must be an integer"),
    ])
    func `a frame the client cannot read says why`(frame: String, reason: String) {
        #expect(throws: UnreadableEvent.malformed(reason)) { try heard(frame) }
    }
}
