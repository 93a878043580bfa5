import GatewayCore
import RedisBackend
import Testing

@Suite("Users who are invisible, to the rooms of a node")
struct RegistrationVisibilityTests {
    private typealias Machine = RegistrationMachine

    private let alice = UserID(unchecked: "alice")
    private let room = RoomName(unchecked: "r")
    private let holder = Holder(node: "n1", incarnation: 1)

    /// Alice, registered and in the room.
    private func inRoom(isInvisible: Bool = false) throws -> RegistryConversation {
        let talk = RegistryConversation.standing()
        let connect = try #require(talk.connect("c1", "alice").calls.first)
        var registered = Connect.Registered(since: 1, now: 1)
        registered.isInvisible = isInvisible
        _ = talk.answered(connect, .connect(.registered(registered)))
        let join = try #require(talk.join("r", "c1").calls.first)
        guard case .join(_, _, _, let writer) = join else { throw Unexpected([]) }
        #expect(writer.isHidden == isInvisible)
        let after = talk.answered(join, .join(.joined(RegistryConversation.roster, stream: nil))).calls
        #expect(after.contains(.hide(Machine.Place(room, alice), isHidden: true)) == isInvisible)
        return talk
    }

    private func hidden(_ actions: [Machine.Action]) -> [Bool] {
        actions.calls.compactMap {
            if case .hide(Machine.Place(room, alice), let isHidden) = $0 { isHidden } else { nil }
        }
    }

    @Test func `whoever is invisible when it connects is hidden in each room it joins`() throws {
        _ = try inRoom(isInvisible: true)
        _ = try inRoom(isInvisible: false)
    }

    @Test func `what another node says of the user is done in the rooms of this one, once`() throws {
        let talk = try inRoom()
        #expect(hidden(talk.visibilityChanged("alice", true)) == [true])
        #expect(hidden(talk.visibilityChanged("alice", true)) == [])
        #expect(hidden(talk.visibilityChanged("alice", false)) == [false])
        #expect(hidden(talk.visibilityChanged("nobody", true)) == [])
    }

    @Test func `what a connection says itself is done as well, and tried again where the link breaks`() throws {
        let talk = try inRoom()
        let asked = talk.state(.invisible, "c1")
        let call = try #require(asked.calls.first)
        #expect(hidden(talk.answered(call, .state(.noted(isInvisible: true)))) == [true])
        let hide = Machine.Call.hide(Machine.Place(room, alice), isHidden: true)
        #expect(talk.failed(hide).calls == [])
        #expect(hidden(talk.linked()) == [true])
    }

    @Test func `a user of whom no connection is left is forgotten`() throws {
        let talk = try inRoom(isInvisible: true)
        _ = talk.disconnect("c1", .farewell(.closed))
        _ = try #require(talk.connect("c2", "alice").calls.first)
        let join = try #require(talk.join("r", "c2").calls.first)
        guard case .join(_, _, _, let writer) = join else { throw Unexpected([]) }
        #expect(!writer.isHidden)
    }
}
