import Dialects
import Foundation
import GatewayCore
import Testing

@Suite("Pusher's frames")
struct PusherDialectTests {
    private let dialect: PusherDialect
    private let app: PusherApp
    private let room = RoomName(unchecked: "presence-a")

    init() throws {
        app = PusherApp(id: "1", key: "key", secrets: ["secret"])
        let socketID = try #require(PusherSocketID(connectionID: "0123456789abcd"))
        dialect = PusherDialect(app: app, socketID: socketID)
    }

    private func hear(_ text: String) -> Heard {
        Array(text.utf8).withUnsafeBytes { dialect.read($0) }
    }

    private func command(_ text: String) throws -> ClientCommand {
        guard case .request(let request) = hear(text) else {
            Issue.record("no request: \(text)")
            throw CancellationError()
        }
        return request.command
    }

    /// The error that a frame is answered with, as the client reads it.
    private func error(_ text: String) throws -> String {
        guard case .malformed(let malformed) = hear(text) else { return "none" }
        return try frames(.error(id: malformed.id, error: malformed.error)).joined()
    }

    private func frames(_ event: ServerEvent) throws -> [String] {
        var texts: [String] = []
        dialect.write(event) { texts.append(String(decoding: $0, as: UTF8.self)) }
        for text in texts { _ = try JSONSerialization.jsonObject(with: Data(text.utf8)) }
        return texts
    }

    private func subscribe(_ channel: String, data: String? = nil, isForged: Bool = false) -> String {
        let text = "\(dialect.socketID):\(channel)" + (data.map { ":" + $0 } ?? "")
        let signature = PusherSignature.sign(text.utf8, secret: isForged ? "other" : "secret")
        let quoted = data.map { #","channel_data":\#(quote($0))"# } ?? ""
        return #"{"event":"pusher:subscribe","data":{"channel":"\#(channel)","auth":"key:\#(signature)"\#(quoted)}}"#
    }

    private func quote(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONWriter.append(string: text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func message(
        _ payload: String, event: String? = nil, by user: String = "al", room: String = "private-a"
    ) -> RoomMessage {
        RoomMessage(
            room: RoomName(unchecked: room), userId: UserID(unchecked: user), msgType: 1,
            event: event.map { EventName(unchecked: $0) }, payload: Array(payload.utf8), timestamp: 1,
            position: .unstored)
    }

    // MARK: Reading

    @Test func `pings in both spellings are pings, and what is not known is passed over`() throws {
        for text in [
            #"{"event":"pusher:ping","data":{}}"#, #"{"event":"pusher:ping","data":""}"#, #"{"event":"pusher:ping"}"#,
        ] {
            guard case .ping = try command(text) else {
                Issue.record("no ping: \(text)")
                return
            }
        }
        for text in [#"{"event":"pusher:pong","data":""}"#, #"{"event":"pusher:whatever"}"#, #"{"event":"hello"}"#] {
            guard case .nothing = hear(text) else {
                Issue.record("something: \(text)")
                return
            }
        }
        for text in ["", "[]", "{}", #"{"event":1}"#, #"{"event":""}"#, "{\"event\":\"a\""] {
            guard case .malformed(let malformed) = hear(text), !malformed.isReadable else {
                Issue.record("read: \(text)")
                return
            }
        }
    }

    @Test func `a public channel needs no signature, also where data is a string that holds the object`() throws {
        for text in [
            #"{"event":"pusher:subscribe","data":{"channel":"cache-news","auth":""}}"#,
            #"{"event":"pusher:subscribe","data":"{\"channel\":\"cache-news\"}"}"#,
        ] {
            guard case .subscribe(let subscription) = try command(text) else { throw CancellationError() }
            #expect(subscription.room.string == "cache-news" && !subscription.isSigned && subscription.tellsLast)
            #expect(!subscription.takesEvents && subscription.member == nil)
        }
    }

    @Test func `a signed channel is entered by the app's own signature alone`() throws {
        guard case .subscribe(let subscription) = try command(subscribe("private-a")) else { throw CancellationError() }
        #expect(subscription.isSigned && subscription.takesEvents && subscription.member == nil)
        #expect(
            try error(subscribe("private-a", isForged: true))
                == #"{"event":"pusher:subscription_error","channel":"private-a","data":"#
                + #"{"type":"AuthError","error":"Invalid signature","status":401}}"#)
        #expect(
            try error(#"{"event":"pusher:subscribe","data":{"channel":"private-a"}}"#).contains(#""status":401"#))
    }

    @Test func `a member is whom channel_data names, by a string or a number, with its info as it stands`() throws {
        for (data, user, info) in [
            (#"{"user_id":10,"user_info":{"n": 1}}"#, "10", #"{"n": 1}"#), (#"{"user_id":"é"}"#, "é", "{}"),
            (#"{"user_id":"a","user_info":null}"#, "a", "{}"), (#"{"user_id":"a","user_info":true}"#, "a", "true"),
            (#"{"user_id":9007199254740993}"#, "9007199254740993", "{}"),
        ] {
            guard case .subscribe(let subscription) = try command(subscribe("presence-a", data: data)) else {
                throw CancellationError()
            }
            #expect(subscription.member?.userId.string == user)
            #expect(subscription.member.map { String(decoding: $0.info, as: UTF8.self) } == info)
        }
        let long = String(repeating: "x", count: 2048)
        for data in [
            #"{"user_id":1.5}"#, #"{"user_id":""}"#, #"{"user_id":"system"}"#, "{}", "1", "no JSON",
            #"{"user_id":"a","user_info":{"x":"\#(long)"}}"#,
        ] {
            #expect(try error(subscribe("presence-a", data: data)).contains("channel_data"), "\(data)")
        }
        // Then it is whoever has signed in.
        guard case .subscribe(let subscription) = try command(subscribe("presence-a")) else {
            throw CancellationError()
        }
        #expect(subscription.member == nil && subscription.isShown)
    }

    @Test func `of a name that comes twice the last counts`() throws {
        let data = #"{"user_id":"a","user_id":7}"#
        guard case .subscribe(let subscription) = try command(subscribe("presence-a", data: data)) else {
            throw CancellationError()
        }
        #expect(subscription.member?.userId.string == "7")
    }

    @Test func `a user signs in, and is answered with the data as it came`() throws {
        let data = #"{"id":"12","user_info":{},"watchlist":["a",1,"system","b"]}"#
        let auth = PusherSignature.sign("\(dialect.socketID)::user::\(data)".utf8, secret: "secret")
        let text = #"{"event":"pusher:signin","data":{"auth":"key:\#(auth)","user_data":\#(quote(data))}}"#
        guard case .request(let request) = hear(text), case .signIn(let user, let watched) = request.command else {
            throw CancellationError()
        }
        #expect(user.userId.string == "12" && watched.map(\.string) == ["a", "b"])
        let answer = try frames(.authenticated(id: request.id, expires: nil)).joined()
        #expect(answer == #"{"event":"pusher:signin_success","data":\#(quote(#"{"user_data":\#(quote(data))}"#))}"#)
        #expect(try error(text.replacing("\"12", with: "\"13")).contains(#""code":4009"#))
        // Whatever is wrong with it is no channel's.
        let limited = try frames(.error(id: request.id, error: RequestError(.rateLimited, "slow down"))).joined()
        #expect(limited == #"{"event":"pusher:error","data":{"code":4301,"message":"slow down"}}"#)
    }

    @Test func `client events go to channels whose members the gateway knows, with data byte for byte`() throws {
        let text = #"{"event":"client-x","channel":"private-a","data":{"n": 1e400}}"#
        guard case .message(let message) = try command(text) else { throw CancellationError() }
        #expect(message.event?.string == "client-x" && message.isVolatile && !message.echo)
        #expect(String(decoding: message.payload, as: UTF8.self) == #"{"n": 1e400}"#)
        guard case .message(let empty) = try command(#"{"event":"client-x","channel":"private-a"}"#) else {
            throw CancellationError()
        }
        #expect(empty.payload == Array("null".utf8))
        for channel in ["news", "private-encrypted-a", "#server-to-user-a", "a b"] {
            #expect(try error(#"{"event":"client-x","channel":"\#(channel)","data":1}"#).contains("pusher:error"))
        }
        func sized(_ count: Int) -> String {
            #"{"event":"client-x","channel":"private-a","data":"\#(String(repeating: "x", count: count - 2))"}"#
        }
        #expect(try error(sized(10_240)) == "none")
        #expect(try error(sized(10_241)).contains("10240"))
    }

    // MARK: Writing

    @Test func `the greeting's data is a string, as old clients need it`() throws {
        let welcome = Welcome(
            connectionId: "x", nodeId: "n", userId: nil, session: "", resumed: false, heartbeat: 1, timestamp: 1,
            positions: [])
        #expect(
            try frames(.welcome(welcome)) == [
                #"{"event":"pusher:connection_established","data":"{\"socket_id\":\"\#(dialect.socketID)\",\"activity_timeout\":120}"}"#
            ])
    }

    @Test func `a payload that is a string goes as it is, another as its text`() throws {
        #expect(
            try frames(.message(message(#""{\"a\":1}""#, event: "saved"))) == [
                #"{"event":"saved","channel":"private-a","data":"{\"a\":1}"}"#
            ])
        #expect(
            try frames(.message(message(#"{"a": "\n"}"#))) == [
                #"{"event":"message","channel":"private-a","data":"{\"a\": \"\\n\"}"}"#
            ])
    }

    @Test(arguments: ["pusher:error", "pusher_internal:member_added", "pusher_internal:"])
    func `what a native client names like an event of the protocol is none of those`(name: String) throws {
        let told = try #require(try frames(.message(message("1", event: name))).first)
        #expect(told.hasPrefix(#"{"event":"message","#))
    }

    @Test func `on presence channels a message says whose it is, but for a backend's and a guest's`() throws {
        func user(_ name: String) throws -> Bool {
            try frames(.message(message("1", by: name, room: "presence-a"))).joined().contains("user_id")
        }
        #expect(try user("al") && !user("system") && !user(""))
    }

    @Test func `who subscribes is told who is there, and the last event or that there is none`() throws {
        var joined = Joined(room: room, position: .unstored, recovered: true, roster: nil)
        joined.members = [
            Member(userId: UserID(unchecked: "a\"b"), info: Array(#"{"n":1}"#.utf8), connections: 1),
            Member(userId: UserID(unchecked: "7"), info: Array("true".utf8), connections: 2),
        ]
        let data = #"{"presence":{"ids":["a\"b","7"],"hash":{"a\"b":{"n":1},"7":true},"count":2}}"#
        let succeeded =
            #"{"event":"pusher_internal:subscription_succeeded","channel":"presence-a","data":\#(quote(data))}"#
        #expect(try frames(.joined(id: nil, joined)) == [succeeded])
        joined.last = .absent
        #expect(
            try frames(.joined(id: nil, joined)) == [
                succeeded, #"{"event":"pusher:cache_miss","channel":"presence-a","data":"{}"}"#,
            ])
        joined.members = nil
        joined.last = .message(message("1", by: "system", room: "presence-a"))
        #expect(
            try frames(.joined(id: nil, joined)) == [
                #"{"event":"pusher_internal:subscription_succeeded","channel":"presence-a","data":"{}"}"#,
                #"{"event":"message","channel":"presence-a","data":"1"}"#,
            ])
    }

    @Test func `who comes and goes is told on presence channels, each by itself`() throws {
        func event(_ kind: RosterEvent.Kind) -> RosterEvent {
            RosterEvent(kind: kind, userId: UserID(unchecked: "a"), info: Array("{}".utf8), connection: nil)
        }
        var change = RosterChange(
            room: room, events: [event(.join), event(.update), event(.leave)], members: 1, version: 9, timestamp: 1)
        #expect(
            try frames(.presence(change)) == [
                #"{"event":"pusher_internal:member_added","channel":"presence-a","data":"{\"user_id\":\"a\",\"user_info\":{}}"}"#,
                #"{"event":"pusher_internal:member_removed","channel":"presence-a","data":"{\"user_id\":\"a\"}"}"#,
            ])
        change.room = RoomName(unchecked: "private-a")
        #expect(try frames(.presence(change)) == [])
    }

    @Test func `who is watched is told in one event, as online and offline`() throws {
        func status(_ user: String, isOnline: Bool) -> UserStatus {
            UserStatus(userId: UserID(unchecked: user), isOnline: isOnline, lastSeen: nil)
        }
        let data =
            #"{"events":[{"name":"online","user_ids":["a","c"]},{"name":"offline","user_ids":["b"]}]}"#
        let users = [status("a", isOnline: true), status("b", isOnline: false), status("c", isOnline: true)]
        #expect(
            try frames(.watching(id: nil, users: users)) == [
                #"{"event":"pusher_internal:watchlist_events","data":\#(quote(data))}"#
            ])
        #expect(try frames(.watching(id: nil, users: [])) == [])
        let change = StatusChange(userId: UserID(unchecked: "a"), isOnline: false, timestamp: 1)
        #expect(try frames(.status(change)).first?.contains("offline") == true)
    }

    @Test func `no close code keeps clients away that may come back`() {
        for reason in CloseReason.allCases {
            let code = dialect.farewell(reason)
            #expect(code < 4300)
        }
        #expect(dialect.farewell(.goingAway) == 4200)
        #expect(dialect.farewell(.heartbeatMissed) == 4201)
        #expect(dialect.farewell(.forbidden) == 4009)
        #expect(dialect.farewell(.unavailable) == 4100)
        let words = dialect.lastWords(4200, "going away").map { String(decoding: $0, as: UTF8.self) }
        #expect(words == #"{"event":"pusher:error","data":{"code":4200,"message":"going away"}}"#)
        #expect(dialect.lastWords(1000, "") == nil && dialect.lastWords(1003, "no binary frames") == nil)
    }

    @Test func `what the protocol has no word for is not told`() throws {
        #expect(try frames(.gap(room: room, position: .unstored)) == [])
        #expect(try frames(.seen(room: room, seq: 1)) == [])
        #expect(try frames(.reconnect(afterMilliseconds: 1)) == [])
        #expect(try frames(.left(id: nil, room: room)) == [])
    }
}
