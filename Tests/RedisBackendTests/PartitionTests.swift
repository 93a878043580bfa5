import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import Testing

@Suite("Partitions and keys")
struct PartitionTests {
    private let keys = Keys(prefix: "m")

    @Test func `the checksum is the one Redis Cluster uses`() {
        #expect(CRC16.checksum(of: "123456789") == 0x31C3)
    }

    @Test func `the slot of each tag lies in the partition's own 256 of a cluster's 16,384`() {
        #expect(Partition.tags.count == Partition.count)
        for partition in Partition.all {
            let tag = partition.tag.dropFirst().dropLast()
            #expect(tag.count == 2 && tag.allSatisfy { ("a"..."z").contains($0) })
            let slot = Int(KeySlot(ofTag: String(tag)).number)
            #expect(slot / 256 == partition.number, "\(tag)")
        }
    }

    @Test(arguments: 1...32)
    func `evenly dealt slots give each shard as many partitions as any other, give or take one on either side`(
        shards: Int
    ) {
        var counts = Array(repeating: 0, count: shards)
        for tag in Partition.tags { counts[Int(KeySlot(ofTag: tag).number) * shards / 16384] += 1 }
        let (fewest, most) = (counts.min() ?? 0, counts.max() ?? 0)
        #expect(fewest >= 64 / shards - 1 && most <= (63 + shards) / shards, "\(counts)")
        if 64 % shards == 0 { #expect(fewest == most) }
    }

    @Test func `what the page on consumers lists for a backend's own workers are these tags`() throws {
        let program = try Pages.code("python", with: "xautoclaim")
        let listed = program.split(separator: "\"\"\"")[1].split(whereSeparator: \.isWhitespace)
        #expect(listed.map(String.init) == Partition.tags)
    }

    @Test(arguments: ["lesson-1", "a", "@a|{b}", "*"])
    func `all keys of a room, and its channel, lie in one slot of a cluster`(name: String) {
        let room = RoomName(unchecked: name)
        let mark = DedupeMark(owner: .user(UserID(unchecked: "{x}")), key: "{y}")
        let all = [
            keys.state(Partition(of: room)), keys.head(room), keys.log(room), keys.dedupe(room, mark),
            keys.dedupe(room, DedupeMark(owner: .api, key: "k")), keys.channel(room),
        ]
        #expect(Set(all.map(\.partition)) == [Partition(of: room)])
        // What a cluster hashes is what stands in the first braces (Redis Cluster Specification, "Hash tags").
        let tags = Set(all.map { $0.name.drop { $0 != "{" }.prefix { $0 != "}" } })
        #expect(tags == [Substring(Partition(of: room).tag.dropLast())])
    }

    @Test func `no mark has a key that is another's, and each is as short, whatever names are made up`() {
        let parts = ["lobby", "lobby:dedupe", "lobby:dedupe:u3:bob", "lobby:dedupe:u3:bob:Z26", "a", "a:log"]
        let names = ["Z26:log", "Z26", "log", "bob", "u3:bob", "\u{0}", String(repeating: "k", count: 128)]
        let rooms = parts.map { RoomName(unchecked: $0) }
        var all = rooms.flatMap { [keys.head($0), keys.log($0), keys.members($0), keys.connections(in: $0)] }
        var marks: [DedupeMark] = []
        for name in names {
            marks.append(DedupeMark(owner: .api, key: name))
            for user in ["bob", "u", "bob:Z26", "a"] {
                marks.append(DedupeMark(owner: .user(UserID(unchecked: user)), key: name))
            }
        }
        let named = rooms.flatMap { room in marks.map { keys.dedupe(room, $0) } }
        all += named
        #expect(Set(all.map(\.name)).count == all.count)
        #expect(named.allSatisfy { $0.name.utf8.count <= "m:{mm}:dedupe:".utf8.count + 32 })
    }

    @Test func `channels of database 0 are named as keys are, and those of another bear it behind a slash`() {
        let room = RoomName(unchecked: "r")
        let (first, second) = (Keys(prefix: "m"), Keys(prefix: "m", database: 1))
        let tag = Partition(of: room).tag
        #expect(first.channel(room).name == "m:\(tag):room:r" && second.channel(room).name == "m/1:\(tag):room:r")
        #expect(second.head(room).name == first.head(room).name)
        #expect(second.channel(.everyone).name == "m/1:\(Partition(of: .everyone).tag):all")
    }

    @Test func `no two deployments share a channel, whatever their prefixes`() {
        let user = UserID(unchecked: "u")
        var names: [String] = []
        for prefix in ["m", "m1", "m-1", "m_1", "m.1", "1"] {
            for database in [0, 1, 11] {
                let keys = Keys(prefix: prefix, database: database)
                names += [keys.channel(.everyone), keys.status(of: user), keys.node("n", in: Partition(number: 0))].map(
                    \.name)
                names.append(keys.channel(RoomName(unchecked: "r")).name)
            }
        }
        #expect(Set(names).count == names.count)
    }

    @Test func `an inbox lies in its user's partition`() {
        let user = UserID(unchecked: "auth0|7")
        #expect(Partition(of: RoomName(inboxOf: user)) == Partition(of: user.string))
        #expect(keys.log(RoomName(inboxOf: user)).name.hasSuffix(":inbox:auth0|7:log"))
    }

    @Test func `names spread over all partitions`() {
        let numbers = Set((0..<2000).map { Partition(of: "room-\($0)").number })
        #expect(numbers == Set(0..<64))
    }
}
