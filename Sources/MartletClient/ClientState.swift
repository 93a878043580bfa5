import GatewayCore
import NIOCore

/// What a client knows, guarded by its lock.
struct ClientState: Sendable {
    /// A request that waits for its reply.
    struct Pending: Sendable {
        enum Owner: Sendable {
            case caller(CheckedContinuation<Result<ServerEvent, MartletClient.Failure>, Never>)
            /// The client itself, which joins this room again.
            case rejoin(RoomName)
        }

        var owner: Owner
        var timeout: Scheduled<Void>?
    }

    enum Phase: Sendable {
        case idle
        case running
        case stopped(MartletClient.Failure)
    }

    var phase = Phase.idle
    /// Somebody wants the end.
    var isStopping = false
    /// The socket, from its opening handshake on.
    var socket: WebSocketConnection?
    /// The same once it was welcomed: only then may requests be sent.
    var link: WebSocketConnection?
    var welcome: MartletClient.Welcome?
    var welcomedAt: ContinuousClock.Instant?
    var ending: Reconnection.Ending?
    /// When a `reconnect` frame wants the client to come back.
    var returnsAt: ContinuousClock.Instant?

    var nextID = 0
    var pending: [Int: Pending] = [:]

    /// Joined by the user, and joined again after each reconnect.
    var rooms: Set<RoomName> = []
    var positions: [RoomName: Position] = [:]
    var roomsToRejoin: [RoomName] = []
    var rejoinsUnderWay = 0

    var isPaused = false
    var awaitsRoom = false

    /// Keeps track of where a room is; answers the position that a message has.
    mutating func advance(to message: RoomMessage) -> Position {
        let position = Position(epoch: positions[message.room]?.epoch ?? "", seq: message.seq)
        positions[message.room] = position
        return position
    }
}
