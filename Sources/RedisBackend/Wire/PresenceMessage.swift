import GatewayCore

/// One step of a room's roster as it comes over the room's channel:
/// `p version members timestamp count ` and for each event `j|u|l connection userLength infoLength user info`.
package struct PresenceMessage: Hashable, Sendable {
    package enum Change: Hashable, Sendable {
        /// With what is shown of the user, a JSON object.
        case join(info: [UInt8])
        /// Another is shown from now on.
        case update(info: [UInt8])
        case leave
    }

    package struct Event: Hashable, Sendable {
        package let change: Change
        package let userId: UserID
        /// The connection by which the user came or went.
        package let connection: String

        package init(change: Change, userId: UserID, connection: String) {
            self.change = change
            self.userId = userId
            self.connection = connection
        }
    }

    /// The roster version after the last event; each event is one step.
    package let version: Int64
    /// How many members there are after it.
    package let members: Int
    /// Milliseconds since 1970 by Redis's clock.
    package let timestamp: Int64
    package let events: [Event]

    package static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count > 1 && bytes[0] == UInt8(ascii: "p") && bytes[1] == UInt8(ascii: " ")
    }

    /// Nil where the bytes are not what the presence scripts send.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("p".utf8), let version = fields.integer(),
            let members = fields.integer(), let timestamp = fields.integer(), let count = fields.integer()
        else { return nil }
        var events: [Event] = []
        for _ in 0..<count {
            guard let word = fields.word(), let connection = fields.word(), let userLength = fields.integer(),
                let infoLength = fields.integer(), let user = fields.read(Int(userLength)),
                let info = fields.read(Int(infoLength))
            else { return nil }
            let change: Change
            switch String(decoding: word, as: UTF8.self) {
            case "j": change = .join(info: [UInt8](info))
            case "u": change = .update(info: [UInt8](info))
            case "l": change = .leave
            default: return nil
            }
            events.append(
                Event(
                    change: change, userId: UserID(unchecked: String(decoding: user, as: UTF8.self)),
                    connection: String(decoding: connection, as: UTF8.self)))
        }
        self.version = version
        self.members = Int(members)
        self.timestamp = timestamp
        self.events = events
    }
}
