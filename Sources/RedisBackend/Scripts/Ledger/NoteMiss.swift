import GatewayCore
import RedisClient

/// Notes in the ledger that somebody came to a room for its last message and found none.
package struct NoteMiss: Script {
    package typealias Answer = Done

    let room: RoomName
    let settings: PresenceSettings

    package init(in room: RoomName, settings: PresenceSettings) {
        self.room = room
        self.settings = settings
    }

    package var file: RedisScript { Scripts.miss }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(
            keys: [keys.head(room), keys.events(Partition(of: room))],
            arguments: [.string(room.string), .count(settings.ledgerSize)])
    }
}
