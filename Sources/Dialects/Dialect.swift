import GatewayCore

/// A wire protocol of clients: frames to commands, events to frames, reasons to close codes. No I/O.
///
/// What is told of a room is the same for all of its members that speak the dialect (of one app), whichever of them is asked.
package protocol Dialect: Sendable {
    /// Reads one text frame from a client, whole and known to be UTF-8.
    ///
    /// Everything in the answer is a copy; the frame's memory may go away.
    func read(_ frame: UnsafeRawBufferPointer) -> Heard

    /// Hands out the text of each frame that an event is, in their order: none where the dialect has no word for it.
    ///
    /// The greeting of a client is `welcome`, what answers its pings is `pong`.
    func write(_ event: ServerEvent, _ text: ([UInt8]) -> Void)

    /// Whether members of rooms are told how many connections there are.
    var tellsCounts: Bool { get }

    /// The code with which a connection is closed.
    func farewell(_ reason: CloseReason) -> UInt16

    /// The text of what is said before a connection is closed with a code; nil where the code says it all.
    func lastWords(_ code: UInt16, _ text: String) -> [UInt8]?
}

/// What a client has said.
package enum Heard: Sendable {
    case request(ClientRequest)
    case malformed(MalformedRequest)
    /// Nothing that anything follows from, such as an answer to a ping.
    case nothing
}
