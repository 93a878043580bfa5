/// The prices of things, before they are done where that can be known: measured on one core at 3 GHz, and rounded up.
package enum Prices {
    private static let microsecond = 1000

    /// Bytes that came, and the message that they completed, if any.
    ///
    /// - Parameters:
    ///   - wireBytes: as they came.
    ///   - textBytes: of the whole message, no longer compressed; nil where nothing was completed.
    ///   - isCompressing: whether they may be compressed: a dozen bytes can have zlib build its tables anew, 114 ns for
    ///     each of them at the worst, where honest ones take one or two.
    package static func received(wireBytes: Int, textBytes: Int?, isCompressing: Bool) -> Spending {
        var time = wireBytes * (isCompressing ? 50 : 2)
        if let textBytes { time += 5 * microsecond + 10 * textBytes }
        return Spending(bytesIn: wireBytes, processorNanoseconds: time)
    }

    /// A connection's entry into the registry; its rooms not counted.
    package static let connection = Spending(
        redisNanoseconds: 80 * microsecond, processorNanoseconds: 100 * microsecond)

    /// A TLS handshake without a ticket, by the usual keys of P-256; one by RSA costs twice as much.
    package static let handshake = Spending(processorNanoseconds: 300 * microsecond)

    /// A token to be checked.
    package static let token = Spending(processorNanoseconds: 100 * microsecond)

    /// A question to the backend: a request made, signed and sent, and its answer read.
    package static let inquiry = Spending(processorNanoseconds: 300 * microsecond)

    /// Credentials to be signed.
    package static let signature = Spending(processorNanoseconds: 20 * microsecond)

    /// Rooms that a session brought back.
    package static func resumption(rooms: Int) -> Spending {
        Spending(redisNanoseconds: rooms * 95 * microsecond, processorNanoseconds: rooms * 45 * microsecond)
    }

    /// A step onto or off a roster, told to so many members.
    package static func step(infoBytes: Int, receivers: Int) -> Spending {
        steps(infoBytes: infoBytes, receivers: receivers, rooms: 1)
    }

    /// The same in several rooms, told to so many members of all of them.
    package static func steps(infoBytes: Int, receivers: Int, rooms: Int) -> Spending {
        Spending(
            bytesOut: (infoBytes + 200) * receivers, redisNanoseconds: 60 * rooms * microsecond,
            processorNanoseconds: 20 * rooms * microsecond)
    }

    /// A room's stream, asked for once more; what has been missed not counted.
    package static let stream = Spending(redisNanoseconds: 10 * microsecond, processorNanoseconds: 20 * microsecond)

    /// A message: that Redis keeps it is the dear part.
    package static func publication(bytes: Int, receivers: Int) -> Spending {
        Spending(
            bytesOut: bytes * receivers, redisNanoseconds: 20 * microsecond + 100 * bytes,
            processorNanoseconds: 20 * microsecond + 5 * bytes, storedBytes: bytes + 100)
    }

    /// The same where nothing is kept.
    package static func signal(bytes: Int, receivers: Int) -> Spending {
        Spending(
            bytesOut: bytes * receivers, redisNanoseconds: 20 * microsecond + 10 * bytes,
            processorNanoseconds: 20 * microsecond + 5 * bytes)
    }

    /// A message's payload that is taken away: its room's log is written anew, whose length nobody knows beforehand.
    package static func redaction(receivers: Int) -> Spending {
        Spending(
            bytesOut: 200 * receivers, redisNanoseconds: 10_000 * microsecond, processorNanoseconds: 20 * microsecond)
    }

    /// A page of history or of members, before it is known how long it is.
    package static func page(limit: Int) -> Spending {
        Spending(
            redisNanoseconds: (20 + limit / 4) * microsecond, processorNanoseconds: (20 + limit / 4) * microsecond)
    }

    /// Bytes that came out of a log, to be sent to whoever asked.
    ///
    /// - Parameter isCompressing: whether they are compressed for this one.
    package static func logBytes(_ bytes: Int, isCompressing: Bool) -> Spending {
        Spending(redisNanoseconds: 8 * bytes, processorNanoseconds: (isCompressing ? 70 : 6) * bytes)
    }

    /// Members of a room that were read, sorted and told.
    package static func members(_ count: Int, bytes: Int) -> Spending {
        Spending(redisNanoseconds: count * microsecond, processorNanoseconds: count * 8 * microsecond + 6 * bytes)
    }

    /// The end of a connection that was in so many rooms.
    package static func departure(rooms: Int) -> Spending {
        Spending(redisNanoseconds: rooms * 80 * microsecond, processorNanoseconds: rooms * 60 * microsecond)
    }

    /// Users whose state is to be told.
    package static func watch(users: Int) -> Spending {
        Spending(redisNanoseconds: users * 4 * microsecond, processorNanoseconds: users * 4 * microsecond)
    }

    /// Users to be looked for on the rosters of rooms.
    package static func sharers(users: Int, rooms: Int) -> Spending {
        let time = rooms * (5 * microsecond + users * microsecond / 4)
        return Spending(redisNanoseconds: time, processorNanoseconds: time)
    }

    package static func unwatch(users: Int) -> Spending { Spending(processorNanoseconds: users * microsecond) }
}
