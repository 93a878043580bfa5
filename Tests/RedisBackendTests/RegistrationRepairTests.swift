import GatewayCore
import Testing

import RedisBackend

@Suite("The rules of registering again")
struct RegistrationRepairTests {
    typealias Machine = RegistrationMachine

    let alice = UserID(unchecked: "alice")
    let room = RoomName(unchecked: "r")
    let old = Holder(node: "n1", incarnation: 1)
    let new = Holder(node: "n1", incarnation: 2)

    /// A member of a room, and the node's incarnation is gone.
    private func member() -> RegistryConversation {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice", since: 5)
        talk.enter(room: "r", "c1")
        talk.lost()
        return talk
    }

    private static let taken = Machine.Answer.connect(.registered(Connect.Registered(since: 5, now: 9)))

    /// As it is registered again, in no room but these.
    private static func since(_ since: Int64, in rooms: String...) -> Connect.Earlier {
        Connect.Earlier(since: since, rooms: Set(rooms.map(RoomName.init(unchecked:))))
    }

    @Test func `a new incarnation registers the connections, then the members, then gives up the old ones`() throws {
        let talk = member()
        let connecting = talk.registered(2).calls
        #expect(connecting.count == 1)
        guard
            case .connectAgain(let registrant, Self.since(5, in: "r"), new, .all(Partition(of: "alice"))) = connecting
                .first
        else {
            throw Unexpected([])
        }
        #expect(registrant.connection.id == "c1")
        let before = talk.renounced.count
        let joining = talk.answered(try #require(connecting.first), Self.taken)
        #expect(joining.others == [.registeredAgain(alice)])
        let place = Machine.Place(room, alice)
        #expect(
            joining.calls == [
                .joinAgain(
                    place, connection: "c1", info: Array("{}".utf8), isHidden: false, settled: 1, new,
                    .all(Partition(of: room)))
            ])
        #expect(talk.renounced.count == before + Partition.count - 1, "all but the room's")
        _ = talk.answered(
            try #require(joining.calls.first), .join(.joined(RegistryConversation.roster, stream: nil)))
        #expect(talk.renounced.last == .renounce(Partition(of: room), new))
        #expect(talk.renounced.count == before + Partition.count)
    }

    @Test func `a connection says again which rooms it is in, after which disconnection it came, and since when`()
        throws
    {
        let talk = RegistryConversation.standing()
        let call = try #require(talk.connect("c1", "alice").calls.first)
        var registered = Connect.Registered(since: 5, now: 9)
        registered.disconnection = 7
        registered.moves = 2
        _ = talk.answered(call, .connect(.registered(registered)))
        talk.enter(room: "r", "c1")
        _ = talk.joinQuietly("quiet", "c1")
        talk.lost()
        guard case .connectAgain(_, let earlier, new, _) = talk.registered(2).calls.first else { throw Unexpected([]) }
        let rooms = Set(["r", "quiet"].map(RoomName.init(unchecked:)))
        #expect(earlier == Connect.Earlier(since: 5, disconnection: 7, moves: 2, rooms: rooms))
    }

    @Test func `until all of a partition is registered again, it is the incarnation before that counts as settled`()
        throws
    {
        let talk = member()
        let connecting = try #require(talk.registered(2).calls.first)
        let joining = try #require(talk.answered(connecting, Self.taken).calls.first)
        talk.lost()
        _ = talk.answered(joining, .join(.fenced(at: 3)))
        let again = try #require(talk.registered(3).calls.first)
        let first = talk.answered(again, Self.taken).calls.first
        guard case .joinAgain(_, "c1", _, isHidden: false, settled: 1, _, _) = first else {
            throw Unexpected([])
        }
    }

    @Test func `a room that lacked a member is told to the session as well`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        talk.enter(room: "r", "c1")
        let entry = HeldEntry.member(alice, connection: "c1", room: room)
        let joining = talk.answered(.readHeld(entry.partition, old), .held([])).calls
        guard case .joinAgain(_, "c1", _, isHidden: false, settled: nil, old, .lacking) = joining.first else {
            throw Unexpected([])
        }
        let joined = Machine.Answer.join(.joined(RegistryConversation.roster, stream: nil))
        let session = try #require(talk.session(of: "c1"))
        #expect(
            talk.answered(try #require(joining.first), joined).calls == [
                .remember(room, isIn: true, info: nil, connection: "c1", session)
            ])
    }

    @Test(arguments: [true, false])
    func `a node that was away for longer than disconnections are remembered sends everybody away`(isLost: Bool) throws
    {
        let talk = member()
        _ = talk.answered(try #require(talk.registered(2).calls.first), Self.taken)
        if isLost {
            talk.lost()
            talk.pass(talk.settings.disconnectionLife - .seconds(1))
            #expect(talk.registered(3).others == [], "it says again what it has")
            talk.lost()
        }
        talk.pass(talk.settings.disconnectionLife)
        let sent = isLost ? talk.registered(4) : talk.beaten()
        #expect(sent.others.contains(.close("c1", .goingAway, text: CloseReason.goingAway.text)))
        #expect(!sent.calls.contains { if case .connectAgain = $0 { true } else { false } })
    }

    @Test(
        arguments: [
            (Connect.Answer.replaced, CloseReason.replaced), (.banned, .forbidden), (.ended, .forbidden),
            (.void, .unauthorized),
        ])
    func `one whose session went on elsewhere, or whose user was thrown out, is closed and enters no room again`(
        answer: Connect.Answer, reason: CloseReason
    ) throws {
        let talk = member()
        let call = try #require(talk.registered(2).calls.first)
        let actions = talk.answered(call, .connect(answer))
        guard case .close("c1", reason, _) = actions.others.first else { throw Unexpected(actions) }
        #expect(actions.calls == [])
        talk.lost()
        #expect(talk.registered(3).calls == [], "nothing of it is registered any more")
    }

    @Test
    func `what could not be registered again comes again with the next beat, and its partition is not given up before`()
        throws
    {
        let talk = member()
        let before = talk.renounced.count
        let call = try #require(talk.registered(2).calls.first)
        #expect(talk.failed(call) == [], "rooms wait for all connections")
        #expect(talk.renounced.count == before)
        #expect(talk.beaten().calls.filter { $0.isWrite } == [call])
    }

    @Test
    func
        `one that Redis was asked for under the old incarnation is waited for, one that it is still to be asked is not`()
        throws
    {
        let talk = RegistryConversation.standing()
        let first = try #require(talk.connect("c1", "alice").calls.first)
        talk.lost()
        #expect(talk.registered(2).calls == [], "c1 may be taken in under the old one yet")
        #expect(talk.beaten().calls.filter { $0.isWrite } == [])
        _ = talk.answered(first, Self.taken)
        guard case .connectAgain(_, Self.since(5), new, _) = talk.beaten().calls.first(where: { $0.isWrite }) else {
            throw Unexpected([])
        }
    }

    @Test(arguments: [true, false])
    func `a room that a connection has asked for, and that may keep it out, is not one that it was in`(isAll: Bool)
        throws
    {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        let partition = Partition(of: room)
        let session = try #require(talk.session(of: "c1"))
        let forgotten = Machine.Call.remember(room, isIn: false, info: nil, connection: "c1", session)
        if isAll {
            talk.lost()
            let connecting = try #require(talk.registered(2).calls.first)
            // Joined while the connections are registered again, before the rooms are.
            let join = try #require(talk.join("r", "c1").calls.first)
            #expect(talk.answered(connecting, Self.taken).calls == [], "its own call knows who is kept out")
            #expect(talk.answered(join, .join(.barred(.locked))).calls == [forgotten])
        } else {
            let join = try #require(talk.join("r", "c1").calls.first)
            #expect(talk.answered(.readHeld(partition, old), .held([])).calls == [])
            #expect(talk.takeRepairs() == 0)
            #expect(talk.answered(join, .join(.barred(.locked))).calls == [forgotten])
        }
        #expect(talk.answered(.readHeld(partition, isAll ? new : old), .held([])).calls == [])
    }

    @Test func `a room that Redis was asked for under the old incarnation is waited for`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        let join = try #require(talk.join("r", "c1").calls.first)
        talk.lost()
        let connecting = try #require(talk.registered(2).calls.first)
        _ = talk.answered(connecting, Self.taken)
        #expect(
            !talk.renounced.contains(.renounce(Partition(of: room), new)), "it may be taken in under the old one yet")
        _ = talk.answered(join, .join(.joined(RegistryConversation.roster, stream: nil)))
        let again = talk.beaten().calls.filter { if case .joinAgain = $0 { true } else { false } }
        guard case .joinAgain(_, "c1", _, _, _, new, .all) = again.first else { throw Unexpected([]) }
    }

    @Test
    func `a connection that left and joined anew before it was answered stays, though the first join was refused`()
        throws
    {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        let first = try #require(talk.join("r", "c1").calls.first)
        _ = talk.leave("r", "c1")
        let second = try #require(talk.join("r", "c1").calls.first)
        #expect(talk.answered(first, .join(.barred(.locked))).calls == [])
        _ = talk.answered(second, .join(.joined(RegistryConversation.roster, stream: nil)))
        let place = Machine.Place(room, alice)
        #expect(talk.leave("r", "c1").calls.last == .leave(place, connection: "c1", .farewell(.explicit), old))
    }

    @Test func `a room that Redis is still to be asked for is asked for once`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        talk.lost()
        #expect(talk.join("r", "c1").calls == [])
        let calls = talk.registered(2).calls
        #expect(calls.count == 2)
        guard case .join = calls.first, case .connectAgain = calls.last else { throw Unexpected([]) }
        #expect(talk.answered(calls[1], Self.taken).calls == [])
    }

    @Test func `what Redis lacks of what is held is registered again, what it has beyond that gets the grace`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        let refused = try #require(talk.connect("c2", "alice").calls.first)
        _ = talk.answered(refused, .connect(.full))
        let partition = Partition(of: "alice")
        let reading = try #require(talk.beaten().calls.first { !$0.isWrite && $0 != .readMarks(partition) })
        #expect(reading == .readHeld(partition, old))
        let ghost = HeldEntry.user(alice, connection: "c2")
        let calls = talk.answered(reading, .held([ghost])).calls
        guard case .connectAgain(_, Self.since(5), old, .lacking) = calls.first else { throw Unexpected([]) }
        #expect(calls.dropFirst() == [.end(ghost, old)])
        // Where the set has all of it, the other keys are looked at.
        _ = talk.failed(try #require(calls.first))
        let second = try #require(talk.beaten().calls.first { $0 == .readHeld(partition, old) })
        let whole = talk.answered(second, .held([.user(alice, connection: "c1")])).calls
        let session = try #require(talk.session(of: "c1"))
        #expect(whole == [.compare([.user(alice, connection: "c1", session: session)], partition, old)])
        let lacking = talk.answered(try #require(whole.first), .compared(Compare.Answer(lacking: [0]))).calls
        guard case .connectAgain(_, Self.since(5), old, .lacking) = lacking.first else { throw Unexpected([]) }
    }

    @Test func `a mark closes its connection and is erased once that has gone; another node's is left alone`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        let reading = talk.beaten(marks: 3).calls.filter { if case .readMarks = $0 { true } else { false } }
        #expect(reading.count == Partition.count)
        #expect(talk.beaten(marks: 3).calls.filter { if case .readMarks = $0 { true } else { false } } == [])
        let call = Machine.Call.readMarks(Partition(of: "alice"))
        let actions = talk.answered(
            call,
            .marks([
                CloseMark(connection: "c1", node: "n1", reason: .forbidden, text: "out"),
                CloseMark(connection: "c2", node: "n1", reason: .forbidden, text: "out"),
                CloseMark(connection: "c3", node: "n2", reason: .forbidden, text: "out"),
            ]))
        #expect(
            actions == [.close("c1", .forbidden, text: "out"), .eraseMark("c2", Partition(of: "alice"))])
        #expect(
            talk.disconnect("c1", .farewell(.kicked)).others == [.eraseMark("c1", Partition(of: "alice"))])
        _ = talk.failed(.readMarks(Partition(of: "bob")))
        #expect(talk.beaten(marks: 3).calls.count >= Partition.count, "they are read again")
    }

    @Test func `a guest is nobody, until it shows somebody in a room; then that is registered, and registered again`()
        throws
    {
        let talk = RegistryConversation.standing()
        #expect(talk.connectGuest("g1") == [])
        #expect(talk.join("r", "g1") == [.joined(1, .failure(Machine.gone))], "it shows nobody")
        let bob = UserID(unchecked: "bob")
        let call = try #require(talk.join("r", "g1", as: "bob").calls.first)
        guard case .join(_, bob, _, _) = call else { throw Unexpected([]) }
        let joined = talk.answered(call, .join(.joined(RegistryConversation.roster, stream: nil)))
        #expect(joined == [.joined(2, .success(RegistryConversation.roster))], "it has no session to remember the room")
        talk.lost()
        let again = talk.registered(2).calls
        let place = Machine.Place(room, bob)
        #expect(
            again == [
                .joinAgain(
                    place, connection: "g1", info: Array("{}".utf8), isHidden: false, settled: 1, new,
                    .all(Partition(of: room)))
            ])
        let leaving = talk.disconnect("g1", .farewell(.closed)).calls
        #expect(leaving == [.leave(place, connection: "g1", .farewell(.closed), new)])
    }

    @Test func `a guest becomes a user's and stays in its rooms; one that is not taken in leaves them`() throws {
        let talk = RegistryConversation.standing()
        _ = talk.connectGuest("g1")
        let bob = UserID(unchecked: "bob")
        for call in talk.join("r", "g1", as: "bob").calls {
            _ = talk.answered(call, .join(.joined(RegistryConversation.roster, stream: nil)))
        }
        let connecting = try #require(talk.connect("g1", "bob").calls.first)
        #expect(talk.session(of: "g1") != nil)
        let taken = Connect.Answer.registered(Connect.Registered(since: 5, now: 5))
        #expect(
            talk.answered(connecting, .connect(taken)).others.contains { action in
                if case .registered(_, .success) = action { true } else { false }
            })
        #expect(talk.isHeld("g1"))
        #expect(talk.connect("g1", "eve").others == [.registered(3, .failure(.backend(.conflict)))])
        let place = Machine.Place(room, bob)
        let calls = talk.disconnect("g1", .abrupt(.lost)).calls
        #expect(calls.contains(.leave(place, connection: "g1", .abrupt(.lost), old)))

        _ = talk.connectGuest("g2")
        for call in talk.join("r", "g2", as: "bob").calls {
            _ = talk.answered(call, .join(.joined(RegistryConversation.roster, stream: nil)))
        }
        let refused = try #require(talk.connect("g2", "bob").calls.first)
        let left = talk.answered(refused, .connect(.banned))
        #expect(left.calls.contains(.leave(place, connection: "g2", .farewell(.closed), old)))
        #expect(!talk.isHeld("g2"))
    }

    @Test func `a member may be another than the connection's user, and leaves as that one`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice")
        let bob = UserID(unchecked: "bob")
        let call = try #require(talk.join("r", "c1", as: "bob").calls.first)
        guard case .join(_, bob, _, _) = call else { throw Unexpected([]) }
        _ = talk.answered(call, .join(.joined(RegistryConversation.roster, stream: nil)))
        let calls = talk.leave("r", "c1").calls
        #expect(calls.last == .leave(Machine.Place(room, bob), connection: "c1", .farewell(.explicit), old))
    }
}
