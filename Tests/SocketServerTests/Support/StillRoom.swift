import GatewayCore
import SocketServer

/// A connection of which nothing is there but its number, and the bytes that are held for it.
final class StillConnection: CatchingUp {
    let number: ConnectionNumber
    private(set) var missedBytes = 0

    init(_ number: ConnectionNumber = 1) { self.number = number }

    func countMissed(_ change: Int) { missedBytes += change }
}

/// A room that stands where it is put.
final class StillRoom: RoomStanding {
    let name: RoomName
    var position: Position?
    var roster: RosterState?

    init(_ name: String = "r", at seq: Int, roster version: Int64? = nil) {
        self.name = RoomName(unchecked: name)
        position = Position(epoch: "e1", seq: seq)
        roster = version.map { RosterState(members: 1, version: $0, timestamp: 0) }
    }

    /// A message of so many bytes in memory.
    func message(_ seq: Int, memoryBytes: Int = 1000) -> RoomMessage {
        let empty = message(seq, payload: []).memoryBytes
        return message(seq, payload: Array(repeating: 0x31, count: memoryBytes - empty))
    }

    private func message(_ seq: Int, payload: [UInt8]) -> RoomMessage {
        RoomMessage(
            room: name, userId: .system, msgType: 1, payload: payload, timestamp: 0,
            position: Position(epoch: "e1", seq: seq))
    }

    /// An answer of the log with these messages, as the room stands.
    func start(
        _ missed: ClosedRange<Int>? = nil, memoryBytes: Int = 1000, recovered: Bool = true, hasMore: Bool = false
    ) -> StreamStart {
        StreamStart(
            position: position ?? Position(epoch: "e1", seq: 0), recovered: recovered,
            missed: missed.map { $0.map { message($0, memoryBytes: memoryBytes) } } ?? [], hasMore: hasMore,
            roster: roster, timestamp: 0)
    }
}

typealias StillListener = RoomListener<StillConnection, StillRoom>
