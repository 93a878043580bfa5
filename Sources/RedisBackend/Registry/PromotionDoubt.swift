/// Whether the server behind a plain address may be one that other nodes have left: who promotes a replica in its place ends
/// the replica's following at that moment, whatever leads to which of the two afterwards.
///
/// So for a while after a replica has gone nobody is dead who does not beat here. It is over once the replica follows again, as
/// after a restart, and those who had sat on it have had the time to come back. Pure: times are milliseconds by the node's own
/// monotonic clock.
package struct PromotionDoubt: Sendable {
    /// One that has gone, or fewer of those that bear an address.
    private struct Loss {
        let began: Int64
        /// How many had followed before.
        let former: Int
        var backSince: Int64?
    }

    /// A replica says each second how far it is, and the server counts whole seconds. One that is later than this may be cut off;
    /// whoever is silent for a lease by then has not beaten for as long.
    private static let lateAfter = 1
    /// One that is later than this has gone.
    private static let goneAfter = 3

    private let length: Int64
    private let comingBack: Int64
    /// Nil where nobody has looked yet.
    private var followers: [String: Int]?
    private var losses: [String: Loss] = [:]
    private var lateSince: Int64?
    private var isLate = false

    /// - Parameters:
    ///   - length: `redis.failoverGrace`.
    ///   - comingBack: how long a node may take to beat again where the replica follows again.
    package init(length: Int64, comingBack: Int64) {
        self.length = length
        self.comingBack = comingBack
    }

    /// What the server answered to `INFO replication`, as it was asked at that moment.
    package mutating func saw(_ replicas: ReplicasSeen, asked: Int64) {
        let seen = replicas.lags.mapValues { $0.count { $0 <= PromotionDoubt.goneAfter } }.filter { $0.value > 0 }
        if let followers {
            for (address, count) in followers where seen[address] ?? 0 < count && losses[address] == nil {
                losses[address] = Loss(began: asked, former: count)
            }
        } else if seen.isEmpty, replicas.hasFollowed {
            // There was one before this node looked, who knows how long ago.
            losses[""] = Loss(began: asked, former: 1)
        }
        for (address, loss) in losses {
            let isBack = seen[address] ?? 0 >= loss.former
            losses[address]?.backSince = isBack ? loss.backSince ?? asked : nil
        }
        losses = losses.filter { _, loss in
            asked - loss.began < length && loss.backSince.map { asked - $0 < comingBack } ?? true
        }
        followers = seen
        let late = replicas.lags.values.joined().contains {
            (PromotionDoubt.lateAfter + 1...PromotionDoubt.goneAfter).contains($0)
        }
        lateSince = late ? lateSince ?? asked : nil
        // One that always is tells nothing.
        isLate = lateSince.map { asked - $0 < length } ?? false
    }

    /// The server is another by now, which has a grace of its own.
    package mutating func forget() {
        (followers, losses, lateSince, isLate) = (followers.map { _ in [:] }, [:], nil, false)
    }

    /// Whether nobody has gone, nor may be about to.
    package var isNone: Bool { losses.isEmpty && !isLate }

    /// Those that have gone and may have been promoted; an empty one had gone before this node looked.
    package var missing: [String] { losses.keys.sorted() }
}

/// The replicas of a primary, by its own word.
package struct ReplicasSeen: Hashable, Sendable {
    /// By address, of those that follow, how many seconds ago each said so last. Behind one gateway several may have one.
    package var lags: [String: [Int]] = [:]
    /// Whether any has followed in the last hour or so: the server keeps what the next would need to go on.
    package var hasFollowed = false

    /// - Parameter info: the answer to `INFO replication`: `slave0:ip=…,port=…,state=online,offset=…,lag=0`.
    package init(info: String) {
        hasFollowed = info.infoField("repl_backlog_active") == "1"
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("slave") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            var fields: [Substring: Substring] = [:]
            for field in line[line.index(after: colon)...].split(separator: ",") {
                guard let equals = field.firstIndex(of: "=") else { continue }
                fields[field[..<equals]] = field[field.index(after: equals)...]
            }
            guard let ip = fields["ip"], let port = fields["port"], fields["state"] == "online",
                let lag = fields["lag"].flatMap({ Int($0) }), lag >= 0
            else { continue }
            lags["\(ip):\(port)", default: []].append(lag)
        }
    }
}
