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
        _ = talk.enrolled("r")
        #expect(talk.ready("r", reading: RoomReading(role: .moderator)).first == "joined 1 r at 7 as moderator")
        // Again with a position, by when it may be another.
        _ = talk.join(2, "r", since: 7)
        #expect(talk.ready("r", reading: RoomReading(role: .member)).first == "joined 2 r at 7 as member")
    }

    @Test func `what goes on after a break tells settings and one's own role, whoever asked for it`() {
        let reading = RoomReading(role: .moderator)
        let talk = SessionConversation.resumed("r")
        _ = talk.resume(1, ["r": 7])
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        #expect(talk.ready("r", reading: reading).contains("updated r 7 as moderator"))
        let silent = SessionConversation.resumed("r")
        _ = silent.wait(.seconds(10))
        #expect(silent.ready("r", reading: reading) == ["updated r 7 as moderator", "enter r at 7 missed 0"])
    }

    // MARK: Roles that may not read

    private let blind = RoomReading(role: .member, history: false, presence: false)

    @Test func `a role without history joins from now on, whatever it asks for of the past`() {
        let talk = SessionConversation.live()
        let missed = [SessionConversation.message("r", 6), SessionConversation.message("r", 7)]
        _ = talk.join(1, "r", since: 5)
        _ = talk.enrolled("r")
        #expect(talk.ready("r", missed: missed, reading: blind) == ["follow r"])
        #expect(talk.ready("r", reading: blind) == ["joined 1 r at 7 lost as member", "enter r at 7 missed 0"])
        // A member that asks again, and one of whose past no part has been read.
        _ = talk.join(2, "r", since: 5)
        #expect(talk.ready("r", hasMore: true, reading: blind) == ["follow r"])
        #expect(talk.ready("r", reading: blind).first == "joined 2 r at 7 lost as member")
        // Nothing lies between.
        _ = talk.join(3, "r", since: 7)
        #expect(talk.ready("r", reading: blind).first == "joined 3 r at 7 as member")
        // With the right it is as ever.
        _ = talk.join(4, "r", since: 5)
        #expect(
            talk.ready("r", missed: missed, reading: RoomReading(role: .member)) == [
                "joined 4 r at 7 as member", "enter r at 7 missed 2",
            ])
    }

    @Test func `what came while one was in the room is no past, over a break as well`() {
        // Stored at 5.
        let missed = [SessionConversation.message("r", 6), SessionConversation.message("r", 7)]
        let talk = SessionConversation.live()
        _ = talk.join(1, "r", since: 5)
        _ = talk.enrolled("r", since: 5)
        #expect(talk.ready("r", missed: missed, reading: blind).last == "enter r at 7 missed 2")
        let lost = "resumed 1 r at 7 lost"
        for (since, told) in [(5 as Int?, "resumed 1 r at 7"), (6, lost), (nil, lost)] {
            let resumed = SessionConversation.resumed("r", since: since.map { ["r": $0] } ?? [:])
            _ = resumed.resume(1, ["r": 5])
            _ = resumed.ready("*")
            _ = resumed.ready("@alice")
            var answer = resumed.ready("r", missed: missed, reading: blind)
            if answer == ["follow r"] { answer = resumed.ready("r", reading: blind) }
            #expect(answer.first == told)
        }
        // Who has left and come again was not there meanwhile.
        _ = talk.leave(2, "r")
        _ = talk.join(3, "r", since: 5)
        _ = talk.enrolled("r", since: 6)
        #expect(talk.ready("r", missed: missed, reading: blind) == ["follow r"])
    }

    @Test func `what one may have of the past is counted, not timed, whatever part of it is read at once`() {
        let (six, seven) = (SessionConversation.message("r", 6), SessionConversation.message("r", 7))
        // By the clock both came at 5.
        for (entered, since, missed, told) in [
            (5 as Int, 5 as Int, [] as [RoomMessage], "resumed 1 r at 7"), (6, 6, [seven], "resumed 1 r at 7"),
            (4, 3, [six, seven], "resumed 1 r at 7 lost"), (6, 5, [], "resumed 1 r at 7 lost"),
            // A node that is behind, or a count that has begun anew.
            (90, 5, [six, seven], "resumed 1 r at 7 lost"),
        ] {
            let talk = SessionConversation.resumed("r", since: ["r": entered])
            _ = talk.resume(1, ["r": since])
            _ = talk.ready("*")
            _ = talk.ready("@alice")
            var answer = talk.ready("r", missed: missed, hasMore: missed.isEmpty, reading: blind)
            if answer == ["follow r"] { answer = talk.ready("r", reading: blind) }
            #expect(answer.first == told, "in at \(entered), since \(since)")
        }
        // Of the newest, those that came meanwhile.
        let talk = SessionConversation.live()
        _ = talk.ask(1, .join(room: room, since: .last(2)))
        _ = talk.enrolled("r", since: 5)
        #expect(talk.ready("r", missed: [six, seven], reading: blind).first == "joined 1 r at 7 as member")
        _ = talk.ask(2, .join(room: room, since: .last(3)))
        #expect(talk.ready("r", missed: [six, seven], reading: blind) == ["follow r"])
    }

    @Test func `of a room that could not be joined nothing is kept`() {
        for isInvited in [false, true] {
            let talk = SessionConversation.live()
            if isInvited { _ = talk.machine.invited(to: room) } else { _ = talk.join(1, "r") }
            _ = talk.enrolled("r", since: 5)
            #expect(talk.failed("r").first == "withdraw r")
            #expect(talk.machine.memberSince.isEmpty)
        }
    }

    @Test func `a role without presence is not told who is there, whatever the token says`() throws {
        let talk = SessionConversation.live()
        _ = talk.join(1, "r")
        _ = talk.enrolled("r")
        #expect(talk.ready("r", members: 3, reading: blind).first == "joined 1 r at 7 as member")
        let resumed = SessionConversation.resumed("r")
        _ = resumed.wait(.seconds(10))
        #expect(
            resumed.ready("r", members: 3, reading: blind) == ["updated r 7 as member", "enter r at 7 missed 0"])
        // A role never widens a token.
        let pattern = try #require(RoomPattern("r"))
        let narrow = SessionConversation.live(grants: RoomGrants([(pattern, [.join])]))
        _ = narrow.join(1, "r")
        _ = narrow.enrolled("r")
        #expect(
            narrow.ready("r", members: 3, reading: RoomReading(role: .host)).first == "joined 1 r at 7 as host")
        #expect(narrow.read(2, "r") == ["error 2 forbidden"])
        #expect(narrow.members(3, "r") == ["error 3 forbidden"])
    }

    @Test func `to take a payload away one has to be in the room, and its answer is told`() {
        let talk = SessionConversation.live()
        let command = ClientCommand.redact(room: room, seq: 4, epoch: nil)
        #expect(talk.ask(1, command) == ["error 1 not_member"])
        #expect(talk.ask(1, .redact(room: .everyone, seq: 4, epoch: nil)) == ["error 1 not_member"])
        _ = talk.join(2, "r")
        #expect(talk.ask(3, command) == [])
        _ = talk.enrolled("r")
        #expect(talk.ready("r").last == "redact 3 r - 4")
        let id = RequestID(json: Array("3".utf8))
        #expect(talk.answered(.ordered(id: id, room: room, result: .failure(.unknownMessage))) == ["error 3 not_found"])
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

    @Test func `the late answer to a join before is not that to the next one`() {
        let talk = SessionConversation.live()
        _ = talk.join(1, "r")
        let first = talk.enrollment(in: "r")
        #expect(talk.join(2, "r") == [], "it waits")
        #expect(putOut(talk).last == "enroll r {}")
        let roster = RosterState(members: 1, version: 9, timestamp: 5)
        #expect(talk.answered(.enrolled(first, result: .success(roster))) == [])
        let barred = SessionMachine.Answer.enrolled(talk.enrollment(in: "r"), result: .failure(.barred(.banned)))
        #expect(talk.answered(barred) == ["error 2 forbidden"])
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
        _ = barred.lines(barred.machine.invited(to: room))
        #expect(barred.answered(.enrolled(barred.enrollment(in: "r"), result: .failure(.barred(.banned)))) == [])
        #expect(!barred.isMember(of: "r"))
    }
}
