import GatewayCore
import SocketServer
import Testing

/// Rooms that have been sent too much.
@Suite
struct BlockedRoomsTests {
    private let start = MonotonicTime(nanoseconds: 1)
    private let room = RoomName(unchecked: "r")
    private let blocked = BlockedRooms()

    @Test func `a room is blocked until its time, and no other`() {
        #expect(blocked.wait(for: room, now: start) == nil)
        blocked.block(room, until: start + .seconds(2))
        #expect(blocked.wait(for: room, now: start + .seconds(1)) == .seconds(1))
        #expect(blocked.wait(for: RoomName(unchecked: "s"), now: start) == nil)
        #expect(blocked.wait(for: room, now: start + .seconds(2)) == nil)
        #expect(blocked.wait(for: room, now: start + .seconds(1)) == nil, "it is forgotten")
    }

    @Test func `those whose time is over are forgotten, the others not`() {
        let late = RoomName(unchecked: "late")
        blocked.block(room, until: start + .seconds(1))
        blocked.block(late, until: start + .seconds(3))
        blocked.forget(now: start + .seconds(1))
        #expect(blocked.wait(for: room, now: start) == nil)
        #expect(blocked.wait(for: late, now: start + .seconds(1)) == .seconds(2))
    }
}
