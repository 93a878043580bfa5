import GatewayCore

/// The listeners on their way into one room: without an answer from the stream, without a word from the session, or not
/// caught up.
///
/// A connection that asks again while it is being caught up stays on its way until the session begins elsewhere: what it
/// was before its question, it is again when that fails. Pure.
package struct PendingListeners<Connection: CatchingUp, Room: RoomStanding> {
    package typealias Listener = RoomListener<Connection, Room>

    private struct Place {
        var latest: Listener
        /// The one that is being caught up meanwhile.
        var before: Listener?
    }

    private var places: [ConnectionNumber: Place] = [:]

    package init() {}

    package var isEmpty: Bool { places.isEmpty }
    package var connections: [Connection] { places.values.map(\.latest.connection) }

    /// All of them: of a connection that asked again, both.
    package var listeners: [Listener] { places.values.flatMap { [$0.before, $0.latest].compactMap(\.self) } }

    /// The one that asked last.
    package subscript(number: ConnectionNumber) -> Listener? { places[number]?.latest }

    /// - Returns: the one whose question is of no interest any more, now that its connection has asked again.
    package mutating func add(_ listener: Listener) -> Listener? {
        let number = listener.connection.number
        guard let place = places[number] else {
            places[number] = Place(latest: listener)
            return nil
        }
        let isOnItsWay = place.latest.backlog != nil
        places[number] = Place(latest: listener, before: isOnItsWay ? place.latest : place.before)
        return isOnItsWay ? nil : place.latest
    }

    /// The session begins where the one that asked last does.
    ///
    /// - Returns: the one that was being caught up until now.
    package mutating func begin(_ number: ConnectionNumber) -> Listener? {
        // Nearly none has one: the place is not even touched.
        guard let place = places[number], let before = place.before else { return nil }
        places[number] = Place(latest: place.latest)
        return before
    }

    /// One has become a member, or its question has failed.
    package mutating func remove(_ listener: Listener) {
        let number = listener.connection.number
        guard let place = places[number] else { return }
        if place.before === listener {
            places[number]?.before = nil
        } else if place.latest === listener {
            if let before = place.before { places[number] = Place(latest: before) } else { forget(number) }
        }
    }

    /// The connection leaves the room; answers all that it had on the way.
    package mutating func remove(_ number: ConnectionNumber) -> [Listener] {
        guard let place = places[number] else { return [] }
        forget(number)
        return [place.before, place.latest].compactMap(\.self)
    }

    private mutating func forget(_ number: ConnectionNumber) {
        places[number] = nil
        // An emptied dictionary would keep its storage.
        if places.isEmpty { places = [:] }
    }
}
