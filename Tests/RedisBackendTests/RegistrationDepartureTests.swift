import GatewayCore
import Testing

import RedisBackend

@Suite("The rules of those who go while Redis is away")
struct RegistrationDepartureTests {
    typealias Machine = RegistrationMachine

    let alice = UserID(unchecked: "alice")
    let room = RoomName(unchecked: "r")
    let old = Holder(node: "n1", incarnation: 1)
    let new = Holder(node: "n1", incarnation: 2)

    /// Alice in a room, and gone while the link was.
    private func departed(_ departure: Departure) throws -> (talk: RegistryConversation, disconnect: Machine.Call) {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice", since: 5)
        talk.enter(room: "r", "c1")
        talk.linkLost()
        talk.lost()
        #expect(talk.disconnect("c1", departure) == [])
        let calls = (talk.linked() + talk.registered(2)).calls.filter(\.isWrite)
        return (talk, try #require(calls.last))
    }

    private var shown: Machine.Shown { Machine.Shown(Machine.Place(room, alice), Array("{}".utf8)) }

    private var left: Machine.Left {
        Machine.Left(shown, connection: "c1", isHidden: false, settled: 1, cause: .closed)
    }

    private static let joined = Machine.Answer.join(.joined(RegistryConversation.roster, stream: nil))

    @Test(arguments: [Departure.farewell(.closed), .abrupt(.lost)])
    func `one that goes before Redis has taken it in goes without a grace`(departure: Departure) throws {
        let talk = RegistryConversation.standing()
        let connecting = try #require(talk.connect("c1", "alice").calls.first)
        let calls = talk.disconnect("c1", departure).calls
        guard calls.count == 1, case .disconnect(let departed, .farewell(departure.cause), old) = calls.first else {
            throw Unexpected([])
        }
        #expect(departed.known == nil)
        // Whether Redis took it in late or not, it stays so.
        _ = talk.failed(connecting)
        _ = talk.failed(calls[0])
        #expect(talk.beaten().calls.filter(\.isWrite) == calls)
    }

    @Test func `one that goes on with a session keeps that one's grace`() throws {
        let seal = SessionSeal()
        #expect(seal.agreed(on: seal.proposal))
        let talk = RegistryConversation(seal: seal)
        _ = talk.linked() + talk.registered(1)
        _ = talk.connect("c2", "alice", resuming: seal.seal(SessionID(of: alice)))
        guard case .disconnect(_, .abrupt(.lost), old) = talk.disconnect("c2", .abrupt(.lost)).calls.last else {
            throw Unexpected([])
        }
        _ = talk.connect("c3", "alice", resuming: "forged")
        guard case .disconnect(_, .farewell(.lost), old) = talk.disconnect("c3", .abrupt(.lost)).calls.last else {
            throw Unexpected([])
        }
    }

    @Test func `a guest that is becoming a user keeps the grace in its rooms, and has none as the user`() throws {
        let talk = RegistryConversation.standing()
        _ = talk.connectGuest("g1")
        for call in talk.join("r", "g1", as: "bob").calls { _ = talk.answered(call, Self.joined) }
        _ = talk.connect("g1", "bob")
        let calls = talk.disconnect("g1", .abrupt(.lost)).calls
        let place = Machine.Place(room, UserID(unchecked: "bob"))
        #expect(calls.first == .leave(place, connection: "g1", .abrupt(.lost), old))
        guard case .disconnect(let departed, .farewell(.lost), old) = calls.last, calls.count == 2 else {
            throw Unexpected([])
        }
        #expect(departed.places == [], "they are left")
    }

    @Test func `one whom Redis has lost since is told to it with what it was, and its rooms follow in their grace`()
        throws
    {
        let (talk, call) = try departed(.farewell(.closed))
        guard case .disconnect(let departed, .farewell(.closed), new) = call else { throw Unexpected([]) }
        #expect(
            departed.known
                == Machine.Departed.Known(since: 5, settled: 1, isInvisible: false, shown: [shown]))
        let restoring = talk.answered(call, .disconnect(.forgotten)).calls
        #expect(restoring == [.restore(left, new)])
        let leaving = talk.answered(restoring[0], Self.joined).calls
        #expect(leaving == [.leave(left.place, connection: "c1", .abrupt(.closed), new)])
        #expect(talk.answered(leaving[0], .done).calls == [])
    }

    @Test func `one whom Redis has, or that went on elsewhere, is restored nowhere`() throws {
        for answer in [Disconnect.Answer.gone, .notHeld, .replaced] {
            let (talk, call) = try departed(.abrupt(.lost))
            #expect(talk.answered(call, .disconnect(answer)).calls == [])
        }
    }

    @Test func `a place that could not be restored is tried again, and one that is barred is given up`() throws {
        let (talk, call) = try departed(.farewell(.closed))
        let restoring = try #require(talk.answered(call, .disconnect(.forgotten)).calls.first)
        #expect(talk.failed(restoring) == [])
        #expect(talk.beaten().calls.filter(\.isWrite) == [restoring])
        #expect(
            talk.answered(restoring, .join(.fenced(at: 7))) == [.takeNewIncarnation(in: 2, above: 7)])
        let again = talk.registered(8).calls.filter(\.isWrite)
        #expect(again == [.restore(left, Holder(node: "n1", incarnation: 8))])
        #expect(talk.answered(again[0], .join(.barred(.locked))).calls == [])
    }

    @Test func `one that goes under the same incarnation, and was asked in vain, is asked for again as it was`() throws
    {
        let talk = RegistryConversation.standing()
        talk.enter("c1", "alice", since: 5)
        let call = try #require(talk.disconnect("c1", .farewell(.closed)).calls.first)
        #expect(talk.failed(call) == [])
        guard case .disconnect(let departed, _, new) = talk.registered(2).calls.first(where: \.isWrite) else {
            throw Unexpected([])
        }
        #expect(departed.known?.since == 5 && departed.known?.settled == 1)
    }
}
