import GatewayCore
import SocketServer
import Testing

/// Who is on the way into one room.
@Suite
struct PendingListenersTests {
    private let connection = StillConnection(7)
    private let room = StillRoom(at: 10)

    private func asking() -> StillListener { StillListener(connection: connection, room: room, since: nil) }

    private func onItsWay() -> StillListener {
        let position = Position(epoch: "e1", seq: 5)
        return StillListener(
            connection: connection, room: room, backlog: Backlog(of: position, rosterVersion: nil))
    }

    @Test func `a second question takes the place of the first, whose answer is of no interest any more`() {
        var pending = PendingListeners<StillConnection, StillRoom>()
        let (first, second) = (asking(), asking())
        #expect(pending.add(first) == nil)
        #expect(pending.add(second) === first)
        #expect(pending[7] === second && pending[8] == nil)
        #expect(pending.connections.map(\.number) == [7])
        #expect(pending.begin(7) == nil)
        pending.remove(second)
        #expect(pending.isEmpty)
    }

    @Test func `one on its way goes on while its connection asks again, until the session begins elsewhere`() {
        var pending = PendingListeners<StillConnection, StillRoom>()
        let (before, again) = (onItsWay(), asking())
        _ = pending.add(before)
        #expect(pending.add(again) == nil)
        #expect(pending[7] === again)
        #expect(pending.begin(7) === before)
        #expect(pending.begin(7) == nil)
        pending.remove(again)
        #expect(pending.isEmpty)
    }

    @Test func `what a connection was before its question, it is again when that fails`() {
        var pending = PendingListeners<StillConnection, StillRoom>()
        let (before, again) = (onItsWay(), asking())
        _ = pending.add(before)
        _ = pending.add(again)
        pending.remove(again)
        #expect(pending[7] === before)
        pending.remove(before)
        #expect(pending.isEmpty)
    }

    @Test func `one on its way stays so through a second and a third question`() {
        var pending = PendingListeners<StillConnection, StillRoom>()
        let (before, again, third) = (onItsWay(), asking(), asking())
        _ = pending.add(before)
        _ = pending.add(again)
        #expect(pending.add(third) === again)
        pending.remove(third)
        #expect(pending[7] === before)
    }

    @Test func `one that has become a member while its connection asked again is not on its way any more`() {
        var pending = PendingListeners<StillConnection, StillRoom>()
        let (before, again) = (onItsWay(), asking())
        _ = pending.add(before)
        _ = pending.add(again)
        pending.remove(before)
        #expect(pending[7] === again && pending.begin(7) == nil)
        pending.remove(again)
        #expect(pending.isEmpty)
    }

    @Test func `a connection that leaves takes all along that it had on the way, and nobody else's`() {
        var pending = PendingListeners<StillConnection, StillRoom>()
        let (before, again) = (onItsWay(), asking())
        let other = StillListener(connection: StillConnection(8), room: room, since: nil)
        for listener in [before, again, other] { _ = pending.add(listener) }
        let left = pending.remove(7)
        #expect(left.count == 2 && left[0] === before && left[1] === again)
        #expect(pending.remove(7).isEmpty)
        #expect(pending[8] === other)
        pending.remove(before)
        #expect(pending[8] === other && pending[7] == nil)
    }
}
