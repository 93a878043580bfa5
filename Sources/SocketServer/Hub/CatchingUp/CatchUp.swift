import GatewayCore

/// The listeners of one connection that are being caught up: so many at a time that no more than a part waits in its
/// socket, and no more than a part is held besides. The others have their positions only.
///
/// Pure: it says what is next, and the hub writes and asks. A class, so that a connection that misses nothing holds a
/// pointer; it belongs to the hub's event loop.
package final class CatchUp<Connection: CatchingUp, Room: RoomStanding> {
    package typealias Listener = RoomListener<Connection, Room>

    /// The answer to a wish to put the next part together.
    package enum Beginning: Equatable {
        case now
        /// When its connection has paid for what was before; until then nothing else begins.
        case whenPaid
        /// What is under way ends with it.
        case isUnderWay
    }

    /// The next piece of a part.
    package enum Step {
        /// It goes into the part.
        case write(RoomMessage)
        /// The listener stands where the members stand.
        case admit(Listener)
        case ask(Listener, Portion)
    }

    /// They hold something to send.
    private var ready: [Listener] = []
    /// They have to ask for more.
    private var hungry: [Listener] = []
    /// Whether the connection has not paid yet, or a part has not left for the client.
    private var isUnderWay = false
    /// Of the last part.
    package private(set) var sentBytes = 0

    package init() {}

    /// Whether nobody waits for a turn; what is being asked for comes back by itself.
    package var isEmpty: Bool { ready.isEmpty && hungry.isEmpty }

    /// One waits for its turn to be sent what it holds, or to ask for more.
    package func add(_ listener: Listener) {
        if listener.backlog?.isSpent == false { ready.append(listener) } else { hungry.append(listener) }
    }

    /// The socket has fallen behind: its listeners ask when all that waits in it has left.
    ///
    /// - Returns: whether that is to be waited for; false where what is under way ends with it.
    package func addSlow(_ listeners: [Listener]) -> Bool {
        hungry += listeners
        return !isUnderWay
    }

    // MARK: Parts

    package func begin(isPaid: Bool) -> Beginning {
        guard !isUnderWay else { return .isUnderWay }
        isUnderWay = !isPaid
        return isPaid ? .now : .whenPaid
    }

    /// What is next; nil where the part is whole, or nobody may ask before something of what is held has left.
    ///
    /// More is asked for only while there is nothing to send, so that a slow client is not read ahead of.
    ///
    /// - Parameter written: bytes of the part as it is.
    package func next(written: Int, _ shares: CatchUpShares) -> Step? {
        while let listener = ready.first {
            if listener.backlog?.isSpent == false {
                guard written < shares.partBytes, let message = listener.next() else { return nil }
                return .write(message)
            }
            ready.removeFirst()
            guard !listener.isGone else { continue }
            if listener.isCaughtUp { return .admit(listener) }
            hungry.append(listener)
        }
        return written == 0 ? nextQuestion(shares) : nil
    }

    private func nextQuestion(_ shares: CatchUpShares) -> Step? {
        while let listener = hungry.first {
            guard !listener.isGone, !listener.isCaughtUp else {
                hungry.removeFirst()
                if listener.isGone { continue }
                return .admit(listener)
            }
            let portion = shares.nextShare(
                heldBytes: listener.connection.missedBytes, among: hungry.count, needsRoom: listener.needsRoom)
            guard let portion else { return nil }
            hungry.removeFirst()
            return .ask(listener, portion)
        }
        return nil
    }

    /// The connection has paid, or the part has left for the client.
    package func wentOn() { isUnderWay = false }

    /// A part of so many bytes is on its way to the client.
    package func sends(_ bytes: Int) {
        sentBytes = bytes
        isUnderWay = true
    }
}
