import GatewayCore

/// Who is told how many connections are in a room.
package struct RoomCounting: Hashable, Sendable {
    /// Those in the room whose protocol has a word for it.
    package var isToldSubscribers: Bool
    /// The ledger of events, for receivers.
    package var isNoted: Bool

    package static let nobody = RoomCounting(isToldSubscribers: false, isNoted: false)

    package init(isToldSubscribers: Bool, isNoted: Bool) {
        self.isToldSubscribers = isToldSubscribers
        self.isNoted = isNoted
    }

    /// Whether nobody is.
    var isNobody: Bool { self == .nobody }
}
