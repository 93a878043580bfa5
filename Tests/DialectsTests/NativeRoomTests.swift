import Dialects
import GatewayCore
import Testing

/// The frames about rooms' settings, as one side writes and the other reads them.
@Suite struct NativeRoomTests {
    private let dialect = NativeDialect()
    private let room = RoomName(unchecked: "r")
    private let state = RoomState(version: 8, settings: Array(#"{"title":"\u0041","data":{"n":1e400}}"#.utf8))

    private func frame(of event: ServerEvent) -> String {
        var bytes: [UInt8] = []
        dialect.encode(event, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func heard(_ frame: String) throws -> ServerEvent {
        try Array(frame.utf8).withUnsafeBytes { try dialect.decodeEvent($0).get() }
    }

    @Test func `a change of settings is told with all of them, a closed room with its version`() throws {
        for (event, text) in [
            (RoomChange.Event.updated, #"updated","version":8,"settings":{"title":"\u0041","data":{"n":1e400}}}"#),
            (.restored, #"restored","version":8,"settings":{"title":"\u0041","data":{"n":1e400}}}"#),
        ] {
            let change = RoomChange(room: room, event: event, state: state)
            let frame = frame(of: .room(change))
            #expect(frame == #"{"type":"room","roomId":"r","event":""# + text)
            guard case .room(change) = try heard(frame) else { throw Unexpected() }
        }
        let closed = RoomChange(room: room, event: .closed, state: .closed(at: 9))
        #expect(frame(of: .room(closed)) == #"{"type":"room","roomId":"r","event":"closed","version":9}"#)
        guard case .room(closed) = try heard(frame(of: .room(closed))) else { throw Unexpected() }
    }

    @Test func `joined tells the settings where there are any`() throws {
        let position = Position(epoch: "e", seq: 1)
        let joined = Joined(room: room, position: position, recovered: true, roster: nil, settings: state)
        let frame = frame(of: .joined(id: nil, joined))
        #expect(frame.hasSuffix(#","recovered":true,"version":8,"settings":{"title":"\u0041","data":{"n":1e400}}}"#))
        guard case .joined(_, let read) = try heard(frame) else { throw Unexpected() }
        #expect(read.settings == state)
    }

    @Test func `what is told of a member, or of being out, says whom, what, until when and why`() throws {
        let state = RoomState.absent.next(8)
        let ann = UserID(unchecked: "ann")
        var removed = RoomChange(room: room, event: .removed, state: state)
        removed.reason = "a \"b\""
        for (change, text) in [
            (
                RoomChange(room: room, RoomPerson(user: ann, change: .role(.moderator)), state: state),
                #"role","userId":"ann","role":"moderator","version":8}"#
            ),
            (
                RoomChange(room: room, RoomPerson(user: ann, change: .host), state: state),
                #"host","userId":"ann","version":8}"#
            ),
            (
                RoomChange(room: room, RoomPerson(user: ann, change: .muted(until: 5)), state: state),
                #"muted","userId":"ann","until":5,"version":8}"#
            ),
            (
                RoomChange(room: room, RoomPerson(user: ann, change: .unmuted), state: state),
                #"unmuted","userId":"ann","version":8}"#
            ),
            (removed, #"removed","reason":"a \"b\"","version":8}"#),
        ] {
            let frame = frame(of: .room(change))
            #expect(frame == #"{"type":"room","roomId":"r","event":""# + text)
            guard case .room(let read) = try heard(frame) else { throw Unexpected() }
            #expect(read == change)
        }
        let ack = frame(of: .ordered(id: RequestID(json: Array("3".utf8)), room: room, version: 9))
        #expect(ack == #"{"type":"ack","id":3,"roomId":"r","version":9}"#)
        guard case .ordered(_, room, 9) = try heard(ack) else { throw Unexpected() }
    }

    @Test func `what one client alone is told of settings says its own role`() throws {
        var change = RoomChange(room: room, event: .updated, state: RoomState(version: 8, settings: Array("{}".utf8)))
        change.role = .moderator
        let frame = frame(of: .room(change))
        #expect(
            frame == #"{"type":"room","roomId":"r","event":"updated","version":8,"settings":{},"role":"moderator"}"#)
        guard case .room(change) = try heard(frame) else { throw Unexpected() }
    }

    @Test func `to take a payload away names the message, and its epoch where that is not the present one`() throws {
        for (epoch, text) in [(nil as String?, ""), ("e1", #","epoch":"e1""#)] {
            let request = ClientRequest(
                id: RequestID(json: Array("1".utf8)), command: .redact(room: room, seq: 4, epoch: epoch))
            var bytes: [UInt8] = []
            dialect.encode(request, into: &bytes)
            #expect(
                String(decoding: bytes, as: UTF8.self) == #"{"type":"redact","id":1,"roomId":"r","seq":4\#(text)}"#)
            guard case .redact(room, 4, epoch) = try bytes.withUnsafeBytes({ try dialect.decode($0).get() }).command
            else { throw Unexpected() }
        }
        for fields in [
            #""roomId":"r""#, #""roomId":"r","seq":0"#, #""roomId":"r","seq":"4""#, #""roomId":"r","seq":1.5"#,
            #""seq":4"#, #""roomId":"r","seq":4,"epoch":"""#, #""roomId":"r","seq":4,"epoch":"a b""#,
            #""roomId":"r","seq":4,"epoch":7"#, #""roomId":"r","seq":4,"seq":5"#,
            #""roomId":"r","seq":4,"epoch":"\#(String(repeating: "e", count: 65))""#,
        ] {
            let result = Array(#"{"type":"redact",\#(fields)}"#.utf8).withUnsafeBytes { dialect.decode($0) }
            guard case .failure(let malformed) = result else { throw Unexpected() }
            #expect(malformed.error.code == .badRequest, "\(fields)")
        }
    }

    @Test func `roles that may not read are found in the settings, whatever else stands there`() {
        func roles(_ settings: String) -> ReadingRoles { ReadingRoles(settings: Array(settings.utf8)) }
        let found = roles(
            #"{"title":"a","data":{"roles":{"x":[]}},"roles":{"member":["join"],"sp\u0065aker":["history"],"#
                + #""aide":["history","presence"],"host":[]}}"#)
        #expect(found.withoutHistory.map(\.string) == ["member"])
        #expect(Set(found.withoutPresence.map(\.string)) == ["member", "speaker"])
        #expect(found.reading(as: .host) == RoomReading(role: .host))
        #expect(found.reading(as: .member) == RoomReading(role: .member, history: false, presence: false))
        for settings in ["{}", #"{"roles":{}}"#, "", "[]", #"{"roles":7}"#] { #expect(roles(settings).isEmpty) }
    }

    @Test func `an order is read as it was written, and one that says too little or too much is refused`() throws {
        let ann = UserID(unchecked: "ann")
        for order in [
            RoomOrder(.role(.moderator), ann, in: room), RoomOrder(.mute(until: nil), ann, in: room),
            RoomOrder(.mute(until: 1_796_000_000_000), ann, in: room), RoomOrder(.unmute, ann, in: room),
            RoomOrder(.ban(until: 1_796_000_000_001), ann, in: room, reason: "x"), RoomOrder(.unban, ann, in: room),
            RoomOrder(.remove, ann, in: room, reason: "y"),
        ] {
            var bytes: [UInt8] = []
            dialect.encode(ClientRequest(id: nil, command: .order(order)), into: &bytes)
            guard case .order(order) = try bytes.withUnsafeBytes({ try dialect.decode($0).get() }).command else {
                throw Unexpected()
            }
        }
        for frame in [
            #"{"type":"role","roomId":"r","userId":"u"}"#, #"{"type":"role","roomId":"r","userId":"u","role":"a b"}"#,
            #"{"type":"mute","roomId":"r"}"#, #"{"type":"ban","roomId":"r","userId":"u","until":"x"}"#,
            #"{"type":"ban","roomId":"r","userId":"u","until":1796000000}"#, #"{"type":"remove","userId":"u"}"#,
            #"{"type":"remove","roomId":"r","userId":"u","reason":"\#(String(repeating: "x", count: 201))"}"#,
            #"{"type":"admit","roomId":"r","userId":"u"}"#,
        ] {
            let result = Array(frame.utf8).withUnsafeBytes { dialect.decode($0) }
            guard case .failure(let malformed) = result else {
                Issue.record("\(frame) is taken")
                continue
            }
            #expect(malformed.error.code == .badRequest)
        }
    }

    @Test func `what a later gateway tells of a room is passed over`() throws {
        let frame = Array(#"{"type":"room","roomId":"r","event":"painted","version":9}"#.utf8)
        let result = frame.withUnsafeBytes { dialect.decodeEvent($0) }
        guard case .failure(.unknownType) = result else { throw Unexpected() }
    }
}
