import GatewayCore
import RedisClient

/// Takes a connection away at once, or begins its grace.
package struct Disconnect: Script {
    package enum Answer: Hashable, Sendable {
        case gone
        /// The node does not hold it, or no longer.
        case notHeld
        /// Its session names another connection by now.
        case replaced
        /// Redis had lost it, and its grace has begun.
        case forgotten
    }

    let connection: PresenceConnection
    let session: SessionID
    let holder: Holder
    let departure: Departure
    /// Of one that Redis had taken in.
    let known: RegistrationMachine.Departed.Known?
    let settings: PresenceSettings

    package init(
        _ connection: PresenceConnection, session: SessionID, holder: Holder, departure: Departure,
        known: RegistrationMachine.Departed.Known? = nil, settings: PresenceSettings
    ) {
        self.connection = connection
        self.session = session
        self.holder = holder
        self.departure = departure
        self.known = known
        self.settings = settings
    }

    package var file: RedisScript { Scripts.disconnect }

    package func spelled(with keys: Keys) -> ScriptCall {
        let user = connection.userId
        let partition = Partition(of: user.string)
        let status = keys.status(of: user)
        let lost: [RedisArgument] =
            known.map { known in
                [
                    .string(String(known.since, radix: 36)), .integer(known.settled), .string(session.secret),
                    .integer(known.isInvisible ? 1 : 0),
                ]
            } ?? []
        return ScriptCall(
            keys: [
                keys.connections(of: user), keys.online(partition), keys.seen(partition), keys.session(session),
                keys.held(by: holder, in: partition), keys.linger(partition), keys.events(partition),
                keys.states(partition),
            ] + (known == nil ? [] : [keys.fence(partition), keys.holders(partition)]),
            arguments: [
                .string(holder.node), .integer(holder.incarnation), .string(connection.id), .string(user.string),
                .mode(departure), .string(departure.cause.rawValue), .milliseconds(settings.grace),
                .milliseconds(settings.life), .count(settings.ledgerSize), keys.publish, .string(status.name),
                .milliseconds(settings.sessionLife),
            ] + lost, publishingOn: [status])
    }
}

extension Disconnect.Answer: ScriptAnswer {
    package init?(_ reply: RedisReply) {
        switch reply.integer {
        case 0: self = .notHeld
        case 1: self = .gone
        case 2: self = .replaced
        case 3: self = .forgotten
        default: return nil
        }
    }
}
