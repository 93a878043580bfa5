/// The reason why the gateway closes a WebSocket: RFC 6455 section 7.4.1 below 4000, Martlet's own from there on.
package enum CloseReason: UInt16, Sendable, CaseIterable {
    case normal = 1000
    /// The node is draining or has lost its name.
    case goingAway = 1001
    case protocolError = 1002
    /// A binary frame: the protocol is text.
    case unsupportedData = 1003
    case notUTF8 = 1007
    case messageTooLarge = 1009
    case internalError = 1011
    /// Ten frames in a row that could not be read.
    case malformed = 4400
    /// No token, a bad one, or one that has expired.
    case unauthorized = 4401
    case forbidden = 4403
    /// Three pings in a row were left unanswered.
    case heartbeatMissed = 4408
    /// A newer connection took this one's place.
    case replaced = 4409
    /// The client reads too slowly for what it is sent.
    case tooSlow = 4413
    /// The client sent too much and did not heed `rate_limited`.
    case tooManyRequests = 4429
    /// Redis could not be reached in time.
    case unavailable = 4503

    package var code: UInt16 { rawValue }

    /// The reason sent beside the code: below 124 bytes.
    package var text: String {
        switch self {
        case .normal: ""
        case .goingAway: "going away"
        case .protocolError: "protocol error"
        case .unsupportedData: "binary frames are not accepted"
        case .notUTF8: "text is not UTF-8"
        case .messageTooLarge: "message too large"
        case .internalError: "internal error"
        case .malformed: "too many malformed frames"
        case .unauthorized: "unauthorized"
        case .forbidden: "forbidden"
        case .heartbeatMissed: "heartbeat missed"
        case .replaced: "replaced by a newer connection"
        case .tooSlow: "reads too slowly"
        case .tooManyRequests: "too many requests"
        case .unavailable: "unavailable"
        }
    }
}
