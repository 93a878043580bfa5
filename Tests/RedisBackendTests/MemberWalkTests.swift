import GatewayCore
import RedisBackend
import Testing
import TestSupport

/// Pages of members against a hash that scans as Redis's does, and grows, shrinks and empties between them.
@Suite("Pages of members")
struct MemberWalkTests {
    /// Goes through all pages, as many at once as `limit` says of each; answers who was told, doubles as well.
    private func told(
        of hash: inout ScannedHash, from start: String? = nil, limit: (Int) -> Int,
        between: (inout ScannedHash, Int) -> Void = { _, _ in }, within: (inout ScannedHash) -> Void = { _ in }
    ) throws -> [String] {
        var told: [String] = []
        var cursor = start
        for page in 0..<20_000 {
            let most = limit(page)
            var walk = MemberWalk(from: try MemberCursor(read: cursor), limit: most)
            var steps = 0
            while !walk.isOver {
                let naming = walk.mustName(ofRoomOf: hash.members.count)
                walk.take(hash.scan(from: walk.from, count: walk.count, naming: naming))
                steps += 1
                within(&hash)
            }
            #expect(steps <= 8 && walk.members.count <= most)
            told += walk.members.map(\.userId.string)
            guard let next = walk.next else { return told }
            cursor = next.text
            between(&hash, page)
        }
        Issue.record("no end")
        return told
    }

    @Test(arguments: [1, 100, 512, 513, 1500], [1, 2, 7, 100, 333, 1000])
    func `a room that nobody enters or leaves is told whole and once`(size: Int, limit: Int) throws {
        for hasPairs in [false, true] {
            var hash = ScannedHash((0..<size).map { "u\($0)" }, hasPairs: hasPairs)
            let told = try told(of: &hash, limit: { _ in limit })
            #expect(told.count == size && Set(told) == hash.members)
        }
    }

    @Test(arguments: [100, 513, 700, 1500]) func `pages may ask for other lengths than those before`(size: Int) throws {
        var hash = ScannedHash((0..<size).map { "u\($0)" })
        for lengths in [[106, 1000], [1000, 3], [1, 1000, 2], [7, 5, 3, 1]] {
            let told = try told(of: &hash, limit: { lengths[$0 % lengths.count] })
            #expect(told.count == size && Set(told) == hash.members)
        }
    }

    @Test(arguments: 0..<30) func `who stays is told whatever becomes of the hash`(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let stayers = (0..<Int.random(in: 1...900, using: &random)).map { "u\($0)" }
        var hash = ScannedHash(stayers, hasPairs: seed % 2 == 0)
        let lengths = [1, 2, 7, 50, 300, 1000].shuffled(using: &random).prefix(2 + seed % 3)
        var others: [String] = (0..<Int.random(in: 0...3000, using: &random)).map { "v\($0)" }
        for name in others { hash.add(name) }
        let told = try told(of: &hash, limit: { lengths[$0 % lengths.count] }) { hash, page in
            // They come in great numbers and go so, and in between some by some.
            for _ in 0..<(page % 5 == 0 ? 500 : 5) {
                let name = "w\(Int.random(in: 0..<4000, using: &random))"
                hash.add(name)
                others.append(name)
            }
            for _ in 0..<(page % 7 == 3 ? 1500 : 5) where !others.isEmpty {
                hash.remove(others.remove(at: Int.random(in: others.indices, using: &random)))
            }
            hash.resize(rehashing: Bool.random(using: &random))
        }
        #expect(Set(stayers).subtracting(told).isEmpty)
    }

    @Test func `a small room that becomes a large one goes on where it was`() throws {
        var hash = ScannedHash((0..<512).map { "u\($0)" })
        let told = try told(of: &hash, limit: { _ in 100 }) { hash, page in
            if page == 1 { for number in 0..<600 { hash.add("v\(number)") } }
            hash.resize(rehashing: false)
        }
        #expect(told.filter { $0.hasPrefix("u") }.count == 512)
        #expect(Set(told).isSuperset(of: (0..<512).map { "u\($0)" }))
    }

    @Test(arguments: 0..<30) func `who stays is told though one server follows the other`(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let stayers = (0..<Int.random(in: 500...3000, using: &random)).map { "u\($0)" }
        var hash = ScannedHash(stayers, hasPairs: seed % 2 == 0)
        let limit = [7, 100, 1000][seed % 3]
        var servers = 0
        // Seldom enough that a walk comes to its end.
        let pages = stayers.count / limit
        let isNext = { (random: inout SplitMix) in Int.random(in: 0..<pages * 2 + 8, using: &random) == 0 }
        let told = try told(
            of: &hash, limit: { _ in limit },
            between: { hash, page in
                guard servers < 5, page == 1 || isNext(&random) else { return }
                servers += 1
                hash.loadAgain()
            },
            within: { hash in
                guard servers < 5, isNext(&random) else { return }
                servers += 1
                hash.loadAgain()
            })
        #expect(servers > 0 || limit == 1000)
        #expect(Set(stayers).subtracting(told).isEmpty)
    }

    @Test func `a small room that has grown between its size and its first step is told whole`() throws {
        var hash = ScannedHash((0..<2000).map { "u\($0)" })
        var walk = MemberWalk(from: .start, limit: 100)
        #expect(!walk.mustName(ofRoomOf: 80))
        walk.take(hash.scan(from: walk.from, count: walk.count, naming: false))
        var told = walk.members.map(\.userId.string)
        if !walk.isOver {
            #expect(walk.mustName(ofRoomOf: 80))
            while !walk.isOver { walk.take(hash.scan(from: walk.from, count: walk.count)) }
            told = walk.members.map(\.userId.string)
        }
        told += try self.told(of: &hash, from: walk.next?.text, limit: { _ in 100 })
        #expect(Set(told) == hash.members)
    }

    @Test func `a server that holds it in another form tells it again`() throws {
        var hash = ScannedHash((0..<600).map { "u\($0)" })
        for number in 300..<600 { hash.remove("u\(number)") }
        let told = try told(of: &hash, limit: { _ in 70 }) { hash, page in if page == 1 { hash.loadAgain() } }
        #expect(Set(told) == hash.members)
    }

    @Test(arguments: ["0.u5", "64", "64-96.u5"])
    func `a cursor of a gateway that knew no server begins anew`(cursor: String) throws {
        var hash = ScannedHash((0..<700).map { "u\($0)" })
        let told = try told(of: &hash, from: cursor, limit: { _ in 1000 })
        #expect(Set(told) == hash.members)
    }

    @Test func `a cursor is read as it is written`() throws {
        for text in ["0", "4294967295-12", "7-0-0.u", "7-96-160.a.b-c", "7-7-9."] {
            #expect(try MemberCursor(read: text).text == text)
        }
        let told = try MemberCursor(read: "1-5-6.a.b")
        #expect(told.server == ServerMark(number: 1) && told.told == MemberCursor.Told(end: 6, after: "a.b"))
        for old in ["5", "5.a", "5-6.a", nil] { #expect(try MemberCursor(read: old) == .start) }
        for text in [
            "", "x", "-", "1-", "-1", "1-2-3", "1-2-3-4.u", "a-2.u", "1-b.u", "18446744073709551616", "4294967296-1",
        ] {
            #expect(throws: DirectoryError.badCursor, "\(text)") { try MemberCursor(read: text) }
        }
    }

    @Test func `a server is told by its process, whatever history it has`() {
        let mark = ServerMark(token: "0123456789abcdef0123:aaaaaaaaaaaaaaaaaaaa")
        #expect(mark == ServerMark(token: "0123456789abcdef0123:bbbbbbbbbbbbbbbbbbbb"))
        #expect(mark != ServerMark(token: "0123456789abcdef0124:aaaaaaaaaaaaaaaaaaaa"))
    }

    @Test func `a scan goes from the highest bit down, and ends at 0`() {
        // As a table of 8 is gone through, 0 before all and behind.
        let order: [UInt64] = [4, 2, 6, 1, 5, 3, 7, 0]
        for (index, place) in order.enumerated() {
            for (other, end) in order.enumerated() { #expect(MemberCursor.isPast(place, end) == (index > other)) }
        }
    }
}
