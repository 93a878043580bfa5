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

    @Test func `what a later gateway tells of a room is passed over`() throws {
        let frame = Array(#"{"type":"room","roomId":"r","event":"painted","version":9}"#.utf8)
        let result = frame.withUnsafeBytes { dialect.decodeEvent($0) }
        guard case .failure(.unknownType) = result else { throw Unexpected() }
    }
}
