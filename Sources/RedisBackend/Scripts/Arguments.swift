import GatewayCore
import RedisClient

/// How values are told to scripts.
extension RedisArgument {
    static func milliseconds(_ duration: Duration) -> RedisArgument { .integer(duration.milliseconds) }

    static func count(_ count: Int) -> RedisArgument { .integer(Int64(count)) }

    /// Milliseconds since 1970; '' for none.
    static func moment(_ moment: Int64?) -> RedisArgument { moment.map { .integer($0) } ?? "" }

    /// Whether the holder has to be put among a partition's. Sent again after a break it has to in any case: Redis may
    /// have come back empty.
    static func mustAnnounce(isKnown: Bool) -> RedisArgument { isKnown ? .attempt : 1 }

    /// Whether keys have to be given their lives: not where others of the node keep them. Sent again after a break they
    /// have to in any case.
    static func mustKeep(hasOthers: Bool) -> RedisArgument { hasOthers ? .attempt : 1 }

    static func mode(_ departure: Departure) -> RedisArgument {
        switch departure {
        case .farewell: "farewell"
        case .abrupt: "lost"
        }
    }
}

/// How answers of several scripts begin or end.
extension RedisReply {
    /// The texts of an array; none where it is no array.
    var strings: [String] { (0..<count).compactMap { self[$0].string } }

    /// The elements of an array two by two; none where it is no array.
    var pairs: [(name: RedisReply, value: RedisReply)] {
        stride(from: 0, to: count - 1, by: 2).map { (self[$0], self[$0 + 1]) }
    }

    /// Milliseconds since 1970; nil where they are 0.
    var moment: Int64? { integer.flatMap { $0 == 0 ? nil : $0 } }

    /// The messages that `position` and `history` append to their answers: seq, timestamp, body.
    func messages(of room: RoomName, epoch: String, from start: Int) -> [RoomMessage] {
        stride(from: start, to: count - 2, by: 3).compactMap { index in
            guard let seq = self[index].integer, let timestamp = self[index + 1].integer else { return nil }
            return self[index + 2].withBytes {
                MessageBody.decode(
                    $0, room: room, position: Position(epoch: epoch, seq: Int(seq)), timestamp: timestamp)
            }
        }
    }
}

extension Position {
    /// What `standing` tells at this place of an answer; nil where it knows nothing.
    init?(standingIn answer: RedisReply, at index: Int) {
        guard let epoch = answer[index].string, let seq = answer[index + 1].integer, seq >= 0 else { return nil }
        self.init(epoch: epoch, seq: Int(seq))
    }
}
