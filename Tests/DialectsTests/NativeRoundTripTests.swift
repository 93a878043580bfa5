import Dialects
import GatewayCore
import Testing

/// What one side writes, the other reads.
@Suite struct NativeRoundTripTests {
    let dialect = NativeDialect()
    private let room = RoomName(unchecked: "r")

    private func bytes(of request: ClientRequest) -> [UInt8] {
        var bytes: [UInt8] = []
        dialect.encode(request, into: &bytes)
        return bytes
    }

    private func bytes(of event: ServerEvent) -> [UInt8] {
        var bytes: [UInt8] = []
        dialect.encode(event, into: &bytes)
        return bytes
    }

    @Test(arguments: [
        "0", "-0", "1e400", "9007199254740993", "123456789012345678901234567890.10", "1E-5", "null", "true", #""""#,
        #""\u0041\/\ud800""#, #""\ud83d\ude00""#, "\"é😀\u{7F}\u{2028}\"", #"{"a":1,"a":2,"\u0061":3}"#,
        "{\r\n\t\"a\" :  [ 1 ,2,\t3 ] }", "[ ]", "{ }", #"{"type":"leave","roomId":"x","id":[1,"]}"]}"#,
        #""},\"payload\":1""#, "[[[[[[[[1]]]]]]]]",
    ])
    func `a payload reaches its receivers byte for byte`(payload: String) throws {
        for (before, after) in [("", ""), (" ", "\n"), ("\t\r\n ", "  ")] {
            let frame = #"{"type":"message","roomId":"r","payload":\#(before)\#(payload)\#(after),"id":1}"#
            guard case .message(let taken) = try dialect.decode(frame).get().command else {
                throw Unexpected()
            }
            #expect(taken.payload == Array(payload.utf8))
            let message = RoomMessage(
                room: room, userId: .system, msgType: 1, payload: taken.payload, timestamp: 1,
                position: Position(epoch: "e", seq: 1))
            let event = try bytes(of: .message(message)).withUnsafeBytes { try dialect.decodeEvent($0).get() }
            guard case .message(let received) = event else { throw Unexpected() }
            #expect(received.payload == Array(payload.utf8))
        }
    }

    @Test func `a payload of 60 kB is no other`() throws {
        let text = "\"" + String(repeating: #"0123456789\n\u00e9é"#, count: 3000) + "\""
        #expect(text.utf8.count > 60_000)
        guard
            case .message(let taken) = try dialect.decode(
                #"{"type":"message","roomId":"r","payload":\#(text)}"#
            ).get().command
        else { throw Unexpected() }
        #expect(taken.payload == Array(text.utf8))
    }

    @Test func `a message's name comes back, and what is not stored says so`() throws {
        let event = EventName(unchecked: "typing \"é\"")
        for position in [Position(epoch: "e", seq: 7), .unstored] {
            let message = RoomMessage(
                room: room, userId: .system, msgType: 1, event: event, payload: [0x31], timestamp: 1,
                position: position,
                except: "c")
            let frame = bytes(of: .message(message))
            #expect(String(decoding: frame, as: UTF8.self).contains(#""volatile":true"#) == (position == .unstored))
            guard case .message(let received) = try frame.withUnsafeBytes({ try dialect.decodeEvent($0).get() }) else {
                throw Unexpected()
            }
            #expect(received.event == event && received.seq == position.seq && received.except == nil)
        }
        guard
            case .seen(let named, 7) = try bytes(of: .seen(room: room, seq: 7)).withUnsafeBytes({
                try dialect.decodeEvent($0).get()
            })
        else { throw Unexpected() }
        #expect(named == room)
        let published = Published(position: .unstored, timestamp: 5)
        let ack = bytes(of: .ack(id: nil, room: room, published: published))
        #expect(String(decoding: ack, as: UTF8.self) == #"{"type":"ack","roomId":"\#(room)","timestamp":5}"#)
    }

    @Test func `requests are read as they were meant`() throws {
        let room = RoomName(unchecked: "a:b=c,d.e")
        var typing = MessageCommand(room: room, event: EventName(unchecked: "typing"), payload: Array("{}".utf8))
        (typing.echo, typing.isVolatile) = (false, true)
        let requests: [ClientRequest] = [
            ClientRequest(id: RequestID(json: Array("1".utf8)), command: .auth(token: "a\"b\\c\nd\u{1}é")),
            ClientRequest(command: .join(room: RoomName(unchecked: "@auth0|7"), since: nil)),
            ClientRequest(command: .join(room: room, since: .last(100))),
            ClientRequest(command: .presence(room: room, info: Array(#"{ "a":[1] }"#.utf8))),
            ClientRequest(command: .presence(room: nil, info: Array("{}".utf8))),
            ClientRequest(command: .turn), ClientRequest(command: .state(.away)),
            ClientRequest(command: .state(.invisible)),
            ClientRequest(command: .leave(room: .everyone)),
            ClientRequest(
                command: .message(
                    MessageCommand(room: room, msgType: 2_147_483_647, payload: Array("[ 1]".utf8), dedupe: "k\u{7}"))),
            ClientRequest(command: .message(MessageCommand(room: room, msgType: 0, payload: Array("{}".utf8)))),
            ClientRequest(command: .message(typing)),
            ClientRequest(command: .history(room: room, range: HistoryRange(edge: .newest, limit: 1))),
            ClientRequest(command: .history(room: room, range: HistoryRange(edge: .before(9), limit: 1000))),
            ClientRequest(command: .history(room: room, range: HistoryRange(edge: .after(Int.max), limit: 50))),
            ClientRequest(id: RequestID(json: Array(#""x""#.utf8)), command: .ping),
        ]
        for request in requests {
            let read = try bytes(of: request).withUnsafeBytes { try dialect.decode($0).get() }
            #expect(read.id == request.id)
            #expect(String(describing: read.command) == String(describing: request.command))
        }
    }

    @Test func `events are read as they were meant`() throws {
        let room = RoomName(unchecked: "r")
        let position = Position(epoch: "e\"1", seq: 9)
        let id = RequestID(json: Array("-3".utf8))
        let events: [ServerEvent] = [
            .turn(
                id: id,
                TurnCredentials(urls: ["turn:a", "turns:\"b"], username: "1:é", credential: "c+/=", seconds: 60)),
            .authenticated(id: id, expires: 9), .authenticated(id: nil, expires: nil),
            .left(id: nil, room: room), .pong(id: id),
            .ack(id: id, room: room, published: Published(position: Position(epoch: "", seq: 4), timestamp: .max)),
            .gap(room: room, position: position), .epoch(room: room, position: position),
            .reconnect(afterMilliseconds: 0),
        ]
        for event in events {
            let read = try bytes(of: event).withUnsafeBytes { try dialect.decodeEvent($0).get() }
            #expect(String(describing: read) == String(describing: event))
        }
        for code in ErrorCode.allCases {
            let event = ServerEvent.error(id: id, error: RequestError(code, "so\tit is"))
            let read = try bytes(of: event).withUnsafeBytes { try dialect.decodeEvent($0).get() }
            #expect(String(describing: read) == String(describing: event))
        }
    }

    @Test func `a welcome and a page of history are read as they were meant`() throws {
        let welcome = Welcome(
            connectionId: "c", nodeId: "n", userId: UserID(unchecked: "é|\""), session: "p1-\"", resumed: true,
            heartbeat: 5, timestamp: 6,
            positions: [
                (RoomName(unchecked: "@é|\""), Position(epoch: "", seq: 0)), (.everyone, .init(epoch: "e", seq: 7)),
            ])
        guard
            case .welcome(let greeted) = try bytes(of: .welcome(welcome)).withUnsafeBytes({
                try dialect.decodeEvent($0).get()
            })
        else { throw Unexpected() }
        #expect(String(describing: greeted) == String(describing: welcome))
        var guest = welcome
        (guest.id, guest.userId, guest.session) = (RequestID(json: Array(#""a\n""#.utf8)), nil, "")
        guest.limits = ClientLimits(messageBytes: 1, messagesPerSecond: 2, messageBurst: 3, rooms: 4, watched: 5)
        guard
            case .welcome(let visited) = try bytes(of: .welcome(guest)).withUnsafeBytes({
                try dialect.decodeEvent($0).get()
            })
        else { throw Unexpected() }
        #expect(String(describing: visited) == String(describing: guest))

        let messages = (1...3).map {
            RoomMessage(
                room: RoomName(unchecked: "r"), userId: .system, msgType: $0, payload: Array("{\"n\": \($0)}".utf8),
                timestamp: 9, position: Position(epoch: "e", seq: $0))
        }
        let page = HistoryPage(
            room: RoomName(unchecked: "r"), head: Position(epoch: "e", seq: 3), messages: messages, more: false)
        guard
            case .history(nil, let read) = try bytes(of: .history(id: nil, page: page)).withUnsafeBytes({
                try dialect.decodeEvent($0).get()
            })
        else { throw Unexpected() }
        #expect(read.head == page.head)
        #expect(!read.more)
        #expect(read.messages.map(\.position) == messages.map(\.position))
        #expect(read.messages.map(\.payload) == messages.map(\.payload))
    }

    @Test(arguments: [
        (#"{"type":"later","roomId":"r"}"#, UnreadableEvent.unknownType),
        (#"{"roomId":"r"}"#, .malformed("type: missing")),
        (#"{"type":"gap","roomId":"r","epoch":"e","seq":"1"}"#, .malformed("seq: must be an integer")),
        (#"{"type":"gap","roomId":"a b","epoch":"e","seq":1}"#, .malformed("roomId: not the name of a room")),
        (
            #"{"type":"history","roomId":"r","epoch":"e","messages":{},"more":true}"#,
            .malformed("messages: must be an array")
        ),
        (#"[]"#, .malformed("not JSON: unexpected character at byte 0")),
    ])
    func `a frame the client cannot read says why`(frame: String, reason: UnreadableEvent) {
        Array(frame.utf8).withUnsafeBytes { bytes in
            guard case .failure(let error) = dialect.decodeEvent(bytes) else {
                Issue.record("it was read")
                return
            }
            #expect(error == reason)
        }
    }
}
