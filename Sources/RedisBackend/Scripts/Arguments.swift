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
}

extension Position {
    /// What `standing` tells at this place of an answer; nil where it knows nothing.
    init?(standingIn answer: RedisReply, at index: Int) {
        guard let epoch = answer[index].string, let seq = answer[index + 1].integer, seq >= 0 else { return nil }
        self.init(epoch: epoch, seq: Int(seq))
    }
}
