import GatewayCore
import SocketServer
import Testing

/// Mail takes a bounded part of an event loop's turn.
@Suite
struct MailTurnTests {
    private func message(_ seq: Int, to room: String) -> StreamDelivery {
        let name = RoomName(unchecked: room)
        let message = RoomMessage(
            room: name, userId: .system, msgType: 1, payload: [0x31], timestamp: 1000,
            position: Position(epoch: "e1", seq: seq))
        return .messages(room: name, messages: [message])
    }

    @Test func `mail for thousands is read in parts, a turn for each, and all get all of it, each room's in its order`()
        throws
    {
        let pattern = try #require(RoomPattern("r*"))
        let rule = RoomRule(pattern: pattern, presence: .off, log: LogLimits(size: 10, age: .seconds(60)))
        let embedded = EmbeddedHub {
            $0.rules = RoomRules(rules: [rule])
            $0.limits.rate = RateLimit(perSecond: 10_000, burst: 10_000)
        }
        let rooms = (0..<50).map { "r\($0)" }
        let members = try (0..<100).map { try embedded.enter("u\($0)") }
        for member in members {
            for room in rooms { try member.send(#"{"type":"join","roomId":"\#(room)"}"#) }
            _ = try member.take()
        }
        embedded.backend.deliver(rooms.map { message(1, to: $0) }, to: 0)
        embedded.loop.run()
        let first = try members.map { try $0.takeMessages() }
        #expect(first.allSatisfy { $0.count == 41 })
        // What comes now lies behind what waits.
        embedded.backend.deliver([message(2, to: "r49")], to: 0)
        embedded.loop.run()
        #expect(try members[0].takeMessages().isEmpty)
        embedded.advance(.milliseconds(20))
        for (member, sent) in zip(members, first) {
            let rest = try member.takeMessages()
            #expect((sent + rest).sorted() == (rooms.map { "\($0) 1" } + ["r49 2"]).sorted())
            #expect(rest.filter { $0.hasPrefix("r49 ") } == ["r49 1", "r49 2"])
        }
    }
}
