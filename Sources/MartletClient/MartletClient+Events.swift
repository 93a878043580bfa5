extension MartletClient {
    /// An event that comes by itself, in order.
    public enum Event: Hashable, Sendable {
        case connected(Welcome)
        /// The code is nil where the connection was lost without one. The client goes on by itself, unless this is the last event.
        case disconnected(code: UInt16?, reason: String)
        /// A room is there again and stands at this position; what was missed up to there follows. Its roster may have changed.
        case rejoined(room: String, position: Position)
        /// A room could not be joined again and is given up.
        case rejoinFailed(room: String, failure: Failure)
        /// Of a room, the user's inbox (`@user`) or everyone (`*`): each once, in order.
        case message(Message)
        /// Something of the room is lost, so load your state anew; it goes on after this position.
        case gap(room: String, position: Position)
        /// The room goes on without a loss under a new epoch.
        case epoch(room: String, position: Position)
        /// A message of the room has no payload any more: what is shown of it is to go.
        case redacted(room: String, position: Position)
        /// Users have come into a room or left it, or are shown otherwise.
        case presence(Presence)
        /// Something has changed in a governed room, or holds as it was joined.
        case room(RoomChange)
        /// A backend has put this user into a room: join it, or take a handle.
        case invited(room: String)
        /// A watched user has come or gone.
        case status(Status)
        /// Another member of a room tells this user something.
        case signal(Signal)
        /// The gateway will go; the client reconnects by itself after this time.
        case reconnect(after: Duration)
        /// An error that belongs to no request.
        case error(code: String, message: String)
    }

    /// An error of a request, or of the client itself.
    public enum Failure: Error, Hashable, Sendable {
        /// The gateway answered with an error; the codes are the protocol's, such as `forbidden`. With `rate_limited` it
        /// says how long to wait before the same is asked again.
        case refused(code: String, message: String, retryAfter: Duration? = nil)
        /// No connection just now, or none that knows the room.
        case notConnected
        /// The connection broke before the reply: whether the request was carried out is not known.
        case disconnected
        /// No reply came in time: whether the request was carried out is not known.
        case timedOut
        /// `maxPendingRequests` wait already, or `maxPendingBytes` of messages.
        case tooManyPending
        /// What was asked cannot be sent; the text says why.
        case invalid(String)
        /// The gateway closed the connection with a code after which there is no coming back, or no token is to be had.
        case stopped(code: UInt16?, reason: String)
        /// The client was closed.
        case closed
        case cancelled
    }
}
