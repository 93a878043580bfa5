import GatewayCore
import RedisBackend

/// A hash as Redis holds and scans one: with few fields, all at once, otherwise bucket by bucket, the bits of the bucket's number
/// counted from the highest down; with a second table while it changes its size.
struct ScannedHash {
    private static let mostAtOnce = 512

    private struct Tables {
        var small: [UInt64: [String]] = [:]
        var large: [UInt64: [String]] = [:]
    }

    private(set) var members: Set<String> = []
    private var isList = true
    private var mask: UInt64 = 3
    /// The table that it is moving to, and the buckets moved already.
    private var target: (mask: UInt64, moved: UInt64)?
    /// Nil where something has changed since it was scanned.
    private var tables: Tables?
    /// Whose seed puts the names in order.
    private var server = ServerMark(number: 1)
    /// Whether a scan counts names and values, as Redis 7.0 does.
    private let hasPairs: Bool

    init(_ names: [String], hasPairs: Bool = false) {
        self.hasPairs = hasPairs
        for name in names { add(name) }
        resize(rehashing: false)
    }

    mutating func add(_ name: String) {
        members.insert(name)
        tables = nil
        if members.count > ScannedHash.mostAtOnce { isList = false }
    }

    mutating func remove(_ name: String) {
        members.remove(name)
        tables = nil
    }

    /// As after a restart or a failover: another order, and what has become small is a list again.
    mutating func loadAgain() {
        server = ServerMark(number: server.number + 1)
        isList = members.count <= ScannedHash.mostAtOnce
        resize(rehashing: false)
    }

    /// Fits the table to what it holds, or begins to.
    mutating func resize(rehashing: Bool) {
        if let target { mask = target.mask }
        (target, tables) = (nil, nil)
        var fitting: UInt64 = 4
        while fitting < members.count { fitting *= 2 }
        if rehashing, fitting - 1 != mask {
            target = (fitting - 1, mask / 2)
        } else {
            mask = fitting - 1
        }
    }

    mutating func scan(from place: UInt64, count: Int, naming: Bool = true) -> MembersScan {
        let server = naming ? server : nil
        if isList { return MembersScan(server: server, next: 0, members: members.map(ScannedHash.member)) }
        let tables = self.tables ?? filled()
        self.tables = tables
        let masks = [mask, target?.mask ?? mask].sorted()
        var found: [String] = []
        var (next, steps) = (place, 0)
        repeat {
            found += tables.small[next & masks[0]] ?? []
            if masks[1] == masks[0] {
                next = ScannedHash.step(next, masks[0])
            } else {
                repeat {
                    found += tables.large[next & masks[1]] ?? []
                    next = ScannedHash.step(next, masks[1])
                } while next & (masks[0] ^ masks[1]) != 0
            }
            steps += 1
        } while next != 0 && steps < 10 * count && found.count * (hasPairs ? 2 : 1) < count
        return MembersScan(server: server, next: next, members: found.map(ScannedHash.member))
    }

    private func filled() -> Tables {
        var tables = Tables()
        for name in members {
            let hash = ScannedHash.hash("\(server.number) \(name)")
            let isMoved = target.map { hash & mask < $0.moved } ?? false
            let own = isMoved ? target?.mask ?? mask : mask
            if own == min(mask, target?.mask ?? mask) {
                tables.small[hash & own, default: []].append(name)
            } else {
                tables.large[hash & own, default: []].append(name)
            }
        }
        return tables
    }

    private static func member(_ name: String) -> Member {
        Member(userId: UserID(unchecked: name), info: [], connections: 1)
    }

    private static func step(_ place: UInt64, _ mask: UInt64) -> UInt64 { reversed(reversed(place | ~mask) &+ 1) }

    private static func reversed(_ bits: UInt64) -> UInt64 {
        var (rest, turned): (UInt64, UInt64) = (bits, 0)
        for _ in 0..<64 {
            turned = turned << 1 | rest & 1
            rest >>= 1
        }
        return turned
    }

    private static func hash(_ name: String) -> UInt64 {
        let mixed = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return (mixed ^ mixed >> 29) &* 0xbf58_476d_1ce4_e5b9 >> 7
    }
}
