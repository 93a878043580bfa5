/// Whether the server behind a plain address may be one that other nodes have left: who promotes a replica in its place ends
/// the replica's following at that moment, whatever leads to which of the two afterwards.
///
/// So for a while after a replica has gone nobody is dead who does not beat here. It is over as soon as the replica follows
/// again, as after a restart. Pure: times are milliseconds by the node's own monotonic clock.
package struct PromotionDoubt: Sendable {
    private let length: Int64
    private var followers: Set<String> = []
    private var lost: [String: Int64] = [:]

    /// - Parameter length: `redis.failoverGrace`.
    package init(length: Int64) {
        self.length = length
    }

    /// The replicas that follow, by their addresses, as the server was asked at that moment.
    package mutating func saw(_ replicas: Set<String>, asked: Int64) {
        for replica in followers.subtracting(replicas) { lost[replica] = asked }
        lost = lost.filter { !replicas.contains($0.key) && asked - $0.value < length }
        followers = replicas
    }

    /// The server is another by now.
    package mutating func forget() {
        (followers, lost) = ([], [:])
    }

    /// Those that have gone and may have been promoted.
    package var missing: [String] { lost.keys.sorted() }
}

extension PromotionDoubt {
    /// A replica says each second how far it is; one that has not for longer may be out of reach, and promoted there.
    private static let patience = 3

    /// The replicas that follow a primary.
    ///
    /// - Parameter info: its answer to `INFO replication`: `slave0:ip=…,port=…,state=online,offset=…,lag=0`.
    package static func replicas(in info: String) -> Set<String> {
        var replicas: Set<String> = []
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("slave") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            var fields: [Substring: Substring] = [:]
            for field in line[line.index(after: colon)...].split(separator: ",") {
                guard let equals = field.firstIndex(of: "=") else { continue }
                fields[field[..<equals]] = field[field.index(after: equals)...]
            }
            guard let ip = fields["ip"], let port = fields["port"], fields["state"] == "online",
                let lag = fields["lag"].flatMap({ Int($0) }), lag <= patience
            else { continue }
            replicas.insert("\(ip):\(port)")
        }
        return replicas
    }
}
