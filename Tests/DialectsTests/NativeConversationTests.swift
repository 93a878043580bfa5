import Dialects
import GatewayCore
import Testing

/// The contract's examples, as a client and the gateway exchange them.
@Suite struct NativeConversationTests {
    let dialect = NativeDialect()

    private func said(_ frame: String) throws -> ClientRequest { try dialect.decode(frame).get() }

    private func refusal(of frame: String) -> MalformedRequest? {
        guard case .failure(let refusal) = dialect.decode(frame) else { return nil }
        return refusal
    }

    private func frame(of event: ServerEvent) -> String {
        var bytes: [UInt8] = []
        dialect.encode(event, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private let room = RoomName(unchecked: "r")
    private let seven = RequestID(json: Array("7".utf8))

    private func message(_ payload: String, user: String = "u", room: String = "r", seq: Int = 44) -> RoomMessage {
        RoomMessage(
            room: RoomName(unchecked: room), userId: UserID(unchecked: user), msgType: 1, payload: Array(payload.utf8),
            timestamp: 1_700_000_000_000, position: Position(epoch: "e", seq: seq))
    }

    @Test func `a join is read with its mark`() throws {
        let request = try said(#"{"type":"join","id":1,"roomId":"r"}"#)
        #expect(request.id?.json == Array("1".utf8))
        guard case .join(let room, nil) = request.command else { throw Unexpected() }
        #expect(room.string == "r")
    }

    @Test func `a message is read with all its fields, in any order`() throws {
        let request = try said(
            #" { "payload" : {"a": 1} ,"dedupe":"k","msgType":2,"roomId":"r","id":"x\u0041","type":"message","new":[{}]} "#
        )
        #expect(request.id?.json == Array(#""x\u0041""#.utf8))
        guard case .message(let message) = request.command else {
            throw Unexpected()
        }
        #expect(message.room.string == "r")
        #expect(message.msgType == 2)
        #expect(String(decoding: message.payload, as: UTF8.self) == #"{"a": 1}"#)
        #expect(message.dedupe == "k" && message.event == nil && message.echo && !message.isVolatile)
    }

    @Test func `a message has a name, leaves its sender out and is not stored where that is asked for`() throws {
        let request = try said(
            #"{"type":"message","roomId":"r","event":"typ\u0069ng","payload":1,"echo":false,"volatile":true}"#)
        guard case .message(let message) = request.command else { throw Unexpected() }
        #expect(message.event?.string == "typing" && !message.echo && message.isVolatile)
        let long = String(repeating: "é", count: 200)
        guard
            case .message(let named) = try said(#"{"type":"message","roomId":"r","event":"\#(long)","payload":1}"#)
                .command
        else { throw Unexpected() }
        #expect(named.event?.string == long)
    }

    @Test(arguments: [
        (#""event":"""#, "event: must be 1 to 200 characters, without control characters"),
        (#""event":"a\u0007""#, "event: must be 1 to 200 characters, without control characters"),
        (#""event":7"#, "event: must be a string"),
        (#""event":"\ud800""#, "event: half a surrogate pair"),
        (#""echo":"no""#, "echo: must be true or false"),
        (#""volatile":1"#, "volatile: must be true or false"),
        (#""volatile":true,"dedupe":"k""#, "dedupe: cannot be given together with volatile, of which nothing is kept"),
        (#""echo":true,"echo":false"#, "echo: given twice"),
    ])
    func `what a message says of itself is checked`(fields: String, text: String) throws {
        guard case .failure(let malformed) = dialect.decode(#"{"type":"message","roomId":"r","payload":1,\#(fields)}"#)
        else { throw Unexpected() }
        #expect(malformed.error == RequestError(.badRequest, text))
        let long = String(repeating: "x", count: 201)
        guard case .failure = dialect.decode(#"{"type":"message","roomId":"r","payload":1,"event":"\#(long)"}"#) else {
            throw Unexpected()
        }
    }

    @Test func `a message without type and key of its own is text and unmarked`() throws {
        let request = try said(#"{"type":"message","roomId":"r","payload":null}"#)
        guard case .message(let message) = request.command else { throw Unexpected() }
        #expect(message.msgType == 1 && message.dedupe == nil && message.payload == Array("null".utf8))
        #expect(request.id == nil)
    }

    @Test func `leave, ping and auth are read`() throws {
        guard case .leave = try said(#"{"type":"leave","id":2,"roomId":"r"}"#).command else { throw Unexpected() }
        guard case .ping = try said(#"{"type":"ping"}"#).command else { throw Unexpected() }
        guard case .auth("a.b.c") = try said(#"{"type":"auth","token":"a.b.c"}"#).command else { throw Unexpected() }
    }

    @Test func `history is asked for from either side, 50 messages unless told`() throws {
        let asked: [(String, HistoryRange)] = [
            (#"{"type":"history","roomId":"r"}"#, HistoryRange(edge: .newest, limit: 50)),
            (#"{"type":"history","roomId":"r","before":40,"limit":7}"#, HistoryRange(edge: .before(40), limit: 7)),
            (#"{"type":"history","roomId":"r","after":0,"limit":1000}"#, HistoryRange(edge: .after(0), limit: 1000)),
        ]
        for (frame, expected) in asked {
            guard case .history(_, let range) = try said(frame).command else { throw Unexpected() }
            #expect(range == expected)
        }
    }

    @Test func `an escaped key is the key it stands for`() throws {
        let request = try said(#"{"t\u0079pe":"pi\u006eg","\u0069d":7}"#)
        #expect(request.id == seven)
        guard case .ping = request.command else { throw Unexpected() }
        #expect(try said(#"{"type":"ping","id\u0000":7}"#).id == nil)
    }

    @Test(arguments: [
        (#"{"id":7}"#, "type: missing"),
        (#"{"type":5,"id":7}"#, "type: must be a string"),
        (#"{"type":"dance","id":7}"#, "type: unknown"),
        (#"{"type":"join","id":7}"#, "roomId: missing"),
        (#"{"type":"join","id":7,"roomId":5}"#, "roomId: must be a string"),
        (#"{"type":"join","id":7,"roomId":"a b"}"#, "roomId: not the name of a room"),
        (#"{"type":"join","id":7,"roomId":""}"#, "roomId: not the name of a room"),
        (#"{"type":"join","id":7,"roomId":"\ud800"}"#, "roomId: half a surrogate pair"),
        (#"{"type":"join","id":7,"roomId":"r","roomId":"s"}"#, "roomId: given twice"),
        (#"{"type":"join","id":7,"roomId":"r","room\u0049d":"s"}"#, "roomId: given twice"),
        (#"{"type":"message","id":7,"roomId":"r"}"#, "payload: missing"),
        (
            #"{"type":"message","id":7,"roomId":"r","payload":1,"msgType":-1}"#,
            "msgType: must be an integer from 0 to 2147483647"
        ),
        (
            #"{"type":"message","id":7,"roomId":"r","payload":1,"msgType":2147483648}"#,
            "msgType: must be an integer from 0 to 2147483647"
        ),
        (
            #"{"type":"message","id":7,"roomId":"r","payload":1,"msgType":1.0}"#,
            "msgType: must be an integer from 0 to 2147483647"
        ),
        (
            #"{"type":"message","id":7,"roomId":"r","payload":1,"msgType":"1"}"#,
            "msgType: must be an integer from 0 to 2147483647"
        ),
        (#"{"type":"message","id":7,"roomId":"r","payload":1,"dedupe":""}"#, "dedupe: must have 1 to 128 bytes"),
        (#"{"type":"message","id":7,"roomId":"r","payload":1,"dedupe":1}"#, "dedupe: must be a string"),
        (
            #"{"type":"history","id":7,"roomId":"r","before":1,"after":1}"#,
            "before: cannot be given together with after"
        ),
        (
            #"{"type":"history","id":7,"roomId":"r","before":0}"#,
            "before: must be an integer from 1 to 9223372036854775807"
        ),
        (
            #"{"type":"history","id":7,"roomId":"r","after":9223372036854775808}"#,
            "after: must be an integer from 0 to 9223372036854775807"
        ),
        (#"{"type":"history","id":7,"roomId":"r","limit":1001}"#, "limit: must be an integer from 1 to 1000"),
        (#"{"type":"history","id":7,"roomId":"r","limit":0}"#, "limit: must be an integer from 1 to 1000"),
        (#"{"type":"auth","id":7}"#, "token: missing"),
        (#"{"type":"auth","id":7,"token":null}"#, "token: must be a string"),
        (#"{"id":7,"type":"ping""#, "not JSON: unexpected end at byte 21"),
        (#"{"id":7,"type":"ping"} x"#, "not JSON: unexpected character at byte 23"),
    ])
    func `a bad request is refused by the name of its field, and its mark comes back`(
        frame: String, message: String
    ) throws {
        let refused = try #require(refusal(of: frame))
        #expect(refused.error == RequestError(.badRequest, message))
        #expect(refused.id == seven)
    }

    @Test(arguments: [
        (#"{"type":"ping","id":1.5}"#, "id: must be a string or an integer"),
        (#"{"type":"ping","id":null}"#, "id: must be a string or an integer"),
        (#"{"type":"ping","id":{"a":1}}"#, "id: must be a string or an integer"),
        (#"{"type":"ping","id":"\#(String(repeating: "x", count: 127))"}"#, "id: longer than 128 bytes"),
        (#"{"type":"ping","id":1,"id":1}"#, "id: given twice"),
        (#"[]"#, "a frame must be one JSON object"),
        (#"7"#, "a frame must be one JSON object"),
        ("", "a frame must be one JSON object"),
        ("\u{FEFF}{}", "a frame must be one JSON object"),
    ])
    func `a frame whose mark cannot be given back is refused without it`(frame: String, message: String) throws {
        let refused = try #require(refusal(of: frame))
        #expect(refused.error == RequestError(.badRequest, message))
        #expect(refused.id == nil)
    }

    @Test func `every frame of the gateway is written as the contract shows it`() {
        let position = Position(epoch: "e", seq: 43)
        let welcome = Welcome(
            connectionId: "c", nodeId: "n", userId: UserID(unchecked: "u"), session: "s", resumed: false,
            heartbeat: 30000, timestamp: 1_700_000_000_000,
            positions: [
                (RoomName(unchecked: "@u"), Position(epoch: "e", seq: 3)), (.everyone, Position(epoch: "e", seq: 7)),
            ],
            limits: ClientLimits(
                messageBytes: 65536, messagesPerSecond: 100, messageBurst: 200, rooms: 200, watched: 1000))
        var answer = welcome
        (answer.id, answer.positions, answer.limits) = (seven, [], nil)
        let guest = Welcome(
            connectionId: "c", nodeId: "n", userId: nil, session: "", resumed: false, heartbeat: 30000, timestamp: 9,
            positions: [(.everyone, Position(epoch: "e", seq: 7))])
        let page = HistoryPage(
            room: room, head: Position(epoch: "e", seq: 44), messages: [message("1", seq: 43), message("[ ]")],
            more: true)
        let written: [(ServerEvent, String)] = [
            (
                .welcome(welcome),
                #"{"type":"welcome","connectionId":"c","nodeId":"n","userId":"u","session":"s","resumed":false,"heartbeat":30000,"#
                    + #""timestamp":1700000000000,"positions":{"@u":{"epoch":"e","seq":3},"*":{"epoch":"e","seq":7}},"#
                    + #""limits":{"messageBytes":65536,"messagesPerSecond":100,"messageBurst":200,"rooms":200,"watched":1000}}"#
            ),
            (
                .welcome(answer),
                #"{"type":"welcome","id":7,"connectionId":"c","nodeId":"n","userId":"u","session":"s","resumed":false,"#
                    + #""heartbeat":30000,"timestamp":1700000000000,"positions":{}}"#
            ),
            (
                .welcome(guest),
                #"{"type":"welcome","connectionId":"c","nodeId":"n","resumed":false,"heartbeat":30000,"timestamp":9,"#
                    + #""positions":{"*":{"epoch":"e","seq":7}}}"#
            ),
            (.authenticated(id: seven, expires: 9), #"{"type":"authenticated","id":7,"expires":9}"#),
            (.authenticated(id: nil, expires: nil), #"{"type":"authenticated"}"#),
            (.left(id: seven, room: room), #"{"type":"left","id":7,"roomId":"r"}"#),
            (
                .ack(id: seven, room: room, published: Published(position: position, timestamp: 5)),
                #"{"type":"ack","id":7,"roomId":"r","seq":43,"timestamp":5}"#
            ),
            (
                .history(id: seven, page: page),
                #"{"type":"history","id":7,"roomId":"r","epoch":"e","messages":["#
                    + #"{"roomId":"r","userId":"u","msgType":1,"payload":1,"timestamp":1700000000000,"seq":43},"#
                    + #"{"roomId":"r","userId":"u","msgType":1,"payload":[ ],"timestamp":1700000000000,"seq":44}],"more":true}"#
            ),
            (.pong(id: nil), #"{"type":"pong"}"#),
            (
                .message(message(#"{ "a":1e400 }"#, user: #"a"\"#)),
                #"{"type":"message","roomId":"r","userId":"a\"\\","msgType":1,"payload":{ "a":1e400 },"timestamp":1700000000000,"seq":44}"#
            ),
            (.gap(room: room, position: position), #"{"type":"gap","roomId":"r","epoch":"e","seq":43}"#),
            (.epoch(room: room, position: position), #"{"type":"epoch","roomId":"r","epoch":"e","seq":43}"#),
            (.reconnect(afterMilliseconds: 1830), #"{"type":"reconnect","afterMs":1830}"#),
            (
                .error(id: RequestID(json: Array(#""k""#.utf8)), error: RequestError(.forbidden, "no\n\u{1}")),
                #"{"type":"error","id":"k","code":"forbidden","message":"no\n\u0001"}"#
            ),
            (
                .error(id: nil, error: RequestError(.rateLimited, "slow", retryAfterMilliseconds: 250)),
                #"{"type":"error","code":"rate_limited","message":"slow","retryAfterMs":250}"#
            ),
        ]
        for (event, text) in written { #expect(frame(of: event) == text) }
    }
}

struct Unexpected: Error {}

extension NativeDialect {
    func decode(_ frame: String) -> Result<ClientRequest, MalformedRequest> {
        Array(frame.utf8).withUnsafeBytes { decode($0) }
    }
}
