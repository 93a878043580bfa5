import GatewayCore
import Testing

import RedisBackend

@Suite("The rules of going on with a session")
struct RegistrationResumeTests {
    typealias Machine = RegistrationMachine

    let alice = UserID(unchecked: "alice")
    let room = RoomName(unchecked: "r")
    let holder = Holder(node: "n1", incarnation: 1)

    private struct Resuming {
        let talk: RegistryConversation
        let shown: String
        let session: SessionID
        let call: Machine.Call
    }

    private func resume() throws -> Resuming {
        let seal = SessionSeal()
        #expect(seal.agreed(on: seal.proposal))
        let talk = RegistryConversation(seal: seal)
        _ = talk.linked() + talk.registered(1)
        let session = SessionID(of: alice)
        let shown = seal.seal(session)
        let call = try #require(talk.connect("c2", "alice", resuming: shown).calls.first)
        return Resuming(talk: talk, shown: shown, session: session, call: call)
    }

    private static func answer(rooms: [String]) -> Machine.Answer {
        .resume(
            .resumed(
                Connect.Registered(since: 7, now: 8),
                ResumeSession.Earlier(connection: "c1", rooms: rooms.map(RoomName.init(unchecked:)))))
    }

    @Test func `the rooms are moved all at once, then whoever asked is answered, with those that are forbidden now`()
        throws
    {
        let one = try resume()
        guard case .resume(_, one.session, _, 1) = one.call else { throw Unexpected([]) }
        let actions = one.talk.answered(one.call, Self.answer(rooms: ["r", "s", "secret"]))
        #expect(one.talk.session(of: "c2") == one.session)
        let joins = actions.calls.filter { if case .join = $0 { true } else { false } }
        #expect(joins.count == 2 && joins.allSatisfy { $0.movedFrom == "c1" })
        let secret = Machine.Place(RoomName(unchecked: "secret"), alice)
        #expect(actions.calls.contains(.evict(secret, connection: "c1", holder)))
        #expect(actions.others == [.inboxStands(alice, nil)], "nobody is answered yet")
        let joined = Machine.Answer.join(.joined(RegistryConversation.roster, stream: nil))
        #expect(one.talk.answered(joins[0], joined) == [])
        let resumed = ResumedSession(rooms: [room, RoomName(unchecked: "s")], forbidden: [secret.room])
        #expect(
            one.talk.answered(joins[1], joined) == [
                .registered(1, .success(Registration(session: one.shown, timestamp: 8, resumed: resumed)))
            ])
    }

    @Test func `where a room cannot be moved the session stays for the next try`() throws {
        let one = try resume()
        let actions = one.talk.answered(one.call, Self.answer(rooms: ["r"]))
        let join = try #require(actions.calls.first { if case .join = $0 { true } else { false } })
        let failed = one.talk.failed(join)
        guard case .disconnect(_, .abrupt(.lost), _) = failed.calls.last else { throw Unexpected(failed) }
        #expect(failed.last == .registered(1, .failure(.backend(.unavailable(reason: "the link broke")))))
        #expect(!one.talk.isHeld("c2"))
    }

    @Test func `an unknown session is followed by a new one, as is one that was not given out here`() throws {
        let one = try resume()
        let actions = one.talk.answered(one.call, .resume(.missed(.ended)))
        guard case .connect(let registrant, _, 1) = actions.calls.first else { throw Unexpected(actions) }
        #expect(registrant.session != one.session)
        let begun = one.talk.answered(actions.calls[0], .connect(.registered(Connect.Registered(since: 7, now: 8))))
        #expect(begun.missed == .ended)
        let invented = one.talk.connect("c3", "alice", resuming: SessionID(of: alice).string)
        let connect = try #require(invented.calls.first)
        guard case .connect = connect else { throw Unexpected(invented) }
        let forged = one.talk.answered(connect, .connect(.registered(Connect.Registered(since: 7, now: 8))))
        #expect(forged.missed == .forged)
    }

    @Test func `another user's session is not gone on with`() throws {
        let one = try resume()
        // The seal is good; only where users share a partition does Redis have to say no.
        let stranger = "bob"
        #expect(Partition(of: stranger) != Partition(of: "alice"))
        guard case .connect = one.talk.connect("c4", stranger, resuming: one.shown).calls.first else {
            throw Unexpected([])
        }
    }

    @Test func `a client that has gone before its rooms were moved is answered all the same`() throws {
        let one = try resume()
        _ = one.talk.disconnect("c2", .abrupt(.lost))
        let actions = one.talk.answered(one.call, Self.answer(rooms: ["r"]))
        #expect(actions.last == .registered(1, .failure(.backend(Machine.gone))))
    }
}

extension [RegistrationMachine.Action] {
    fileprivate var missed: SessionMiss? {
        for case .registered(_, .success(let registration)) in self { return registration.missed }
        return nil
    }
}

extension RegistrationMachine.Call {
    fileprivate var movedFrom: String? {
        guard case .join(let joining, _, _, _) = self, case .moved(let connection) = joining.purpose else { return nil }
        return connection
    }
}
