import GatewayCore
import Testing

import RedisBackend

@Suite("The rules of registration")
struct RegistrationMachineTests {
    typealias Machine = RegistrationMachine

    let alice = UserID(unchecked: "alice")
    let room = RoomName(unchecked: "r")
    let holder = Holder(node: "n1", incarnation: 1)

    @Test func `a connection is asked for, and whoever asked is answered with its session`() throws {
        let talk = RegistryConversation.standing()
        let actions = talk.connect("c1", "alice")
        let session = try #require(talk.session(of: "c1"))
        #expect(actions.others == [.expectInbox(alice)])
        let call = try #require(actions.calls.first)
        guard case .connect(let registrant, let writer, 1) = call else { throw Unexpected(actions) }
        #expect(registrant.session == session && writer == Machine.Writer(holder: holder, isKnown: false))
        let position = Position(epoch: "e", seq: 3)
        var registered = Connect.Registered(since: 7, now: 8)
        registered.inbox = position
        registered.marked = ["n2"]
        #expect(
            talk.answered(call, .connect(.registered(registered))) == [
                .inboxStands(alice, position), .tellMarked(["n2"]),
                .registered(1, .success(Registration(session: session.string, timestamp: 8))),
            ])
        // The partition is known to have the node among its holders.
        guard case .connect(_, let next, 2) = talk.connect("c2", "alice").calls.first else { throw Unexpected([]) }
        #expect(next.isKnown)
        talk.linkLost()
        guard case .connect(_, let later, 3) = talk.connect("c3", "alice").calls.first else { throw Unexpected([]) }
        #expect(!later.isKnown)
    }

    @Test
    func `lives are begun by the first of a partition and of a room, and again where Redis may have nobody there`()
        throws
    {
        let talk = RegistryConversation.standing()
        func connects(_ id: String) throws -> Machine.Call {
            let call = talk.connect(id, "alice").calls.first
            return try #require(call)
        }
        let first = try connects("c1")
        let second = try connects("c2")
        #expect([first, second].map(\.hasOthers) == [false, false], "nothing is answered yet")
        _ = talk.answered(first, .connect(.registered(Connect.Registered(since: 1, now: 1))))
        #expect(try connects("c3").hasOthers == true)
        _ = talk.disconnect("c1", .farewell(.closed))
        #expect(try connects("c4").hasOthers == false, "who are left have no answer")

        talk.enter("d1", "bob")
        talk.enter("d2", "carol")
        let join = try #require(talk.join("r", "d1").calls.first)
        #expect(join.hasOthers == false)
        _ = talk.answered(join, .join(.joined(RegistryConversation.roster, stream: nil)))
        let next = try #require(talk.join("r", "d2").calls.first)
        #expect(next.hasOthers == true)
        #expect(talk.join("r2", "d2").calls.first?.hasOthers == false)
        _ = talk.failed(next)
        #expect(talk.join("r", "d2").calls.first?.hasOthers == false, "nobody knows what became of it")
        talk.enter(room: "r", "d2")
        #expect(talk.join("r", "d1").calls.first?.hasOthers == true)
        talk.linkLost()
        #expect(talk.join("r", "d1").calls.first?.hasOthers == false, "Redis may come back empty")
    }

    @Test
    func `nothing is written while the node may have been taken for dead, and then in the order it was asked for`()
        throws
    {
        let talk = RegistryConversation.standing()
        talk.pass(talk.settings.lease)
        #expect(talk.connect("c1", "alice") == [])
        #expect(talk.join("r", "c1") == [])
        let actions = talk.beaten(marks: 0).calls.filter { $0.isWrite }
        guard case .connect(_, _, 1) = actions.first, case .join(let joining, _, _, _) = actions.last else {
            throw Unexpected(actions.map { .send($0) })
        }
        #expect(actions.count == 2 && joining.connection == "c1")
    }

    @Test
    func `what is asked behind something that waits does not overtake it, though the node may write again by then`()
        throws
    {
        let talk = RegistryConversation.standing()
        talk.lost()
        #expect(talk.connect("c1", "alice") == [])
        talk.linkLost()
        #expect(talk.registered(2) == [], "the link does not stand")
        #expect(talk.connect("c2", "alice") == [])
        let calls = talk.linked().calls.filter { $0.isWrite }
        #expect(calls.map(\.connection) == ["c1", "c2"])
    }

    @Test func `where no answer came the call is made again with the next beat, and answered once`() throws {
        let talk = RegistryConversation.standing()
        let call = try #require(talk.connect("c1", "alice").calls.first)
        #expect(talk.failed(call) == [.inboxStands(alice, nil)])
        let again = talk.beaten().calls.filter { $0.isWrite }
        #expect(again == [call])
    }

    @Test func `a fenced writer takes an incarnation above the fence, and its call is made under that`() throws {
        let talk = RegistryConversation.standing()
        let call = try #require(talk.connect("c1", "alice").calls.first)
        #expect(
            talk.answered(call, .connect(.fenced(at: 9))) == [
                .inboxStands(alice, nil), .takeNewIncarnation(in: 1, above: 9),
            ])
        #expect(talk.connect("c2", "bob") == [], "the fence is known")
        #expect(talk.beaten() == [])
        let calls = talk.registered(10).calls
        #expect(calls.map(\.connection) == ["c1", "c2"])
        guard case .connect(_, let writer, 1) = calls.first else { throw Unexpected([]) }
        #expect(writer.holder.incarnation == 10)
        // What was found under the old incarnation says nothing of the new one.
        #expect(talk.answered(try #require(calls.first), .connect(.fenced(at: 9))).others.count == 2)
    }

    @Test(
        arguments: [
            (Connect.Answer.banned, RegistrationError.banned), (.void, .tokenVoid), (.full, .tooManyConnections),
        ])
    func `a user who is not let in is told so, and leaves nothing behind`(
        answer: Connect.Answer, error: RegistrationError
    ) throws {
        let talk = RegistryConversation.standing()
        let call = try #require(talk.connect("c1", "alice").calls.first)
        #expect(talk.answered(call, .connect(answer)).last == .registered(1, .failure(error)))
        #expect(!talk.isHeld("c1"))
        // Whether Redis has something of it is looked up with the next beat.
        #expect(talk.beaten().calls.contains(.readHeld(Partition(of: "alice"), holder)))
    }

    @Test func `the room's members come first, then the session remembers the room`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        let call = try #require(talk.join("r", "c1").calls.first)
        let session = try #require(talk.session(of: "c1"))
        let position = Position(epoch: "e", seq: 1)
        #expect(
            talk.answered(call, .join(.joined(RegistryConversation.roster, stream: position))) == [
                .send(.remember(room, isIn: true, info: nil, connection: "c1", session)),
                .roomStands(room, position, RegistryConversation.roster),
                .joined(2, .success(RegistryConversation.roster)),
            ])
    }

    @Test func `a join without an answer fails, is forgotten, and Redis is looked at; one that was in the room stays`()
        throws
    {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        let first = try #require(talk.join("r", "c1").calls.first)
        let failed = talk.failed(first)
        let session = try #require(talk.session(of: "c1"))
        #expect(failed.first == .send(.remember(room, isIn: false, info: nil, connection: "c1", session)))
        #expect(failed.last == .joined(2, .failure(.unavailable(reason: "the link broke"))))
        #expect(talk.beaten().calls.contains(.readHeld(Partition(of: room), holder)))
        talk.enter(room: "r", "c1")
        let again = try #require(talk.join("r", "c1").calls.first)
        #expect(talk.failed(again).calls == [], "it is in the room still")
    }

    @Test func `a farewell asks whether the session went on, before the rooms are left`() throws {
        for (answer, departure) in [
            (Disconnect.Answer.gone, Departure.farewell(.closed)), (.replaced, .abrupt(.closed)),
        ] {
            let talk = RegistryConversation.standing()
            talk.enter("c1", "alice")
            talk.enter(room: "r", "c1")
            let calls = talk.disconnect("c1", .farewell(.closed)).calls
            #expect(calls.count == 1)
            let leaving = talk.answered(try #require(calls.first), .disconnect(answer)).calls
            #expect(leaving == [.leave(Machine.Place(room, alice), connection: "c1", departure, holder)])
        }
    }

    @Test func `one that is lost leaves its rooms at once, for the grace`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        talk.enter(room: "r", "c1")
        let calls = talk.disconnect("c1", .abrupt(.lost)).calls
        #expect(calls.first == .leave(Machine.Place(room, alice), connection: "c1", .abrupt(.lost), holder))
        guard case .disconnect(_, .abrupt(.lost), holder) = calls.last else { throw Unexpected([]) }
    }

    @Test func `a leave that waited is void where the connection has joined again since`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        talk.enter(room: "r", "c1")
        talk.pass(talk.settings.lease)
        _ = talk.leave("r", "c1") + talk.join("r", "c1")
        let calls = talk.beaten().calls.filter { $0.isWrite }
        #expect(calls.count == 1)
        guard case .join = calls.first else { throw Unexpected([]) }
    }

    @Test func `a node without beats for half a life has all registered again, under a new incarnation`() {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        talk.pass(talk.settings.life / 2)
        #expect(talk.beaten().others == [.takeNewIncarnation(in: 1, above: 1)])
    }

    @Test func `what waits when the node ends is answered, and nothing waits any more`() {
        let talk = RegistryConversation()
        #expect(talk.connect("c1", "alice") == [])
        let failure = RegistrationError.backend(.unavailable(reason: "the node is shutting down"))
        #expect(talk.stopped() == [.registered(1, .failure(failure))])
        #expect(talk.connect("c2", "alice").count == 1)
    }

    @Test func `of one partition at a time all that is held is renewed, and one is compared every few turns`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        talk.enter("c2", "alice")
        talk.enter(room: "r", "c1")
        var renewals: [Machine.Renewal] = []
        for _ in Partition.all {
            for action in talk.ticked() { if case .renew(let renewal) = action { renewals.append(renewal) } }
        }
        #expect(renewals.flatMap(\.rooms) == [room])
        #expect(renewals.map(\.users).reduce([]) { $0.union($1) } == [alice])
        #expect(renewals.flatMap(\.sessions).count == 2)
        let compared = talk.beaten().calls.filter { if case .readHeld = $0 { true } else { false } }
        #expect((5...8).contains(compared.count))
    }
}

/// The machine did something else.
struct Unexpected: Error {
    let actions: [RegistrationMachine.Action]

    init(_ actions: [RegistrationMachine.Action]) { self.actions = actions }
}

extension RegistrationMachine.Call {
    /// Whether it changes something for a connection.
    var isWrite: Bool {
        switch self {
        case .readMarks, .readHeld, .compare, .renounce: false
        case .connect, .resume, .connectAgain, .join, .joinAgain, .disconnect, .restore, .leave, .evict, .remember,
            .show, .hide, .setState, .signal, .guests, .end:
            true
        }
    }

    var connection: String? {
        switch self {
        case .connect(let registrant, _, _), .resume(let registrant, _, _, _), .connectAgain(let registrant, _, _, _):
            registrant.connection.id
        case .join(let joining, _, _, _): joining.connection
        case .disconnect(let departed, _, _): departed.registrant.connection.id
        case .setState(_, let registrant, _, _): registrant.connection.id
        case .restore(let left, _): left.connection
        case .joinAgain(_, let id, _, _, _, _, _), .leave(_, let id, _, _), .evict(_, let id, _),
            .remember(_, _, _, let id, _), .show(_, let id, _, _, _), .signal(_, let id, _):
            id
        case .end(let entry, _): entry.connection
        case .renounce, .readHeld, .compare, .readMarks, .hide, .guests: nil
        }
    }
}

extension RegistrationMachine.Call {
    /// Of a connect or join; nil for any other call.
    fileprivate var hasOthers: Bool? {
        switch self {
        case .connect(_, let writer, _), .join(_, _, _, let writer): writer.hasOthers
        default: nil
        }
    }
}
