import GatewayCore
import Testing

/// Sessions in governed rooms: roles, orders, and being put out and in.
@Suite("Sessions in governed rooms")
struct SessionGovernedTests {
    private let room = SessionConversation.room("r")

    private func change(_ event: RoomChange.Event = .removed) -> RoomChange {
        RoomChange(room: room, event: event, state: RoomState.absent.next(9))
    }

    private func putOut(_ talk: SessionConversation, _ event: RoomChange.Event = .removed) -> [String] {
        talk.lines(talk.machine.putOut(change(event)))
    }

    @Test func `joined tells one's own role where the room is governed`() {
        let talk = SessionConversation.live()
        _ = talk.join(1, "r")
        let roster = RosterState(members: 1, version: 3, timestamp: 0, role: .moderator)
        _ = talk.answered(.enrolled(room: room, result: .success(roster)))
        let state = RoomState(version: 7, settings: Array("{}".utf8))
        let start = StreamStart(position: Position(epoch: "e", seq: 0), settings: state, timestamp: 0)
        #expect(talk.answered(.streamReady(room: room, start: start)).first == "joined 1 r at 0 as moderator")
    }

    @Test func `an order needs a room that one is in, and its answer is told`() {
        let talk = SessionConversation.live()
        let order = RoomOrder(.mute(until: nil), UserID(unchecked: "bob"), in: room)
        #expect(talk.ask(1, .order(order)) == ["error 1 not_member"])
        _ = talk.join(2, "r")
        // It waits for the join.
        #expect(talk.ask(3, .order(order)) == [])
        _ = talk.enrolled("r")
        #expect(talk.ready("r").last == "order 3 bob in r")
        let id = RequestID(json: Array("3".utf8))
        #expect(talk.answered(.ordered(id: id, room: room, result: .success(8))) == ["ack 3 r version 8"])
        let denied = talk.answered(.ordered(id: id, room: room, result: .failure(.denied(.rank))))
        #expect(denied == ["error 3 forbidden"])
    }

    @Test func `who is put out is told and out, and may join anew`() {
        for event in [RoomChange.Event.removed, .closed] {
            let talk = SessionConversation.live()
            talk.enter("r")
            #expect(putOut(talk, event) == ["\(event.rawValue) r 9", "withdraw r", "leave r"])
            #expect(putOut(talk, event) == [])
            #expect(!talk.isMember(of: "r"))
            #expect(talk.join(2, "r") == ["enroll r {}"])
        }
    }

    @Test func `who is put out while joining is refused, and the join's late answer changes nothing`() {
        let talk = SessionConversation.live()
        _ = talk.join(1, "r")
        #expect(putOut(talk) == ["removed r 9", "withdraw r", "leave r", "error 1 forbidden"])
        #expect(talk.enrolled("r") == [])
        #expect(!talk.isMember(of: "r"))
    }

    @Test func `who is put out while resuming goes on without the room`() {
        let talk = SessionConversation.resumed("r", "s")
        _ = talk.resume(1, ["r": 3, "s": 3])
        #expect(putOut(talk) == ["removed r 9"])
        // Its stream's answer comes after that.
        #expect(talk.ready("r") == [])
        _ = talk.ready("s")
        _ = talk.ready("*")
        let told = talk.ready("@alice")
        #expect(told.first == "resumed 1 r forbidden, s at 7")
        #expect(told.contains("withdraw r") && !talk.isMember(of: "r") && talk.isMember(of: "s"))
    }

    @Test func `a backend puts a user in as far as the token allows, and a client that is in already hears nothing`() {
        let talk = SessionConversation.live()
        #expect(talk.lines(talk.machine.invited(to: room)) == ["enroll r {}"])
        _ = talk.enrolled("r")
        #expect(talk.ready("r").first == "joined - r at 7")
        #expect(talk.lines(talk.machine.invited(to: room)) == [])
        let narrow = SessionConversation.live(grants: RoomGrants([]))
        #expect(narrow.lines(narrow.machine.invited(to: room)) == [])
        let barred = SessionConversation.live()
        _ = barred.machine.invited(to: room)
        #expect(barred.answered(.enrolled(room: room, result: .failure(.barred(.banned)))) == [])
        #expect(!barred.isMember(of: "r"))
    }
}
