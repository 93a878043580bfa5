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
        between: (inout ScannedHash, Int) -> Void = { _, _ in }
    ) throws -> [String] {
        var told: [String] = []
        var cursor = start
        for page in 0..<20_000 {
            let most = limit(page)
            var walk = MemberWalk(from: try MemberCursor(read: cursor), limit: most)
            var steps = 0
            while !walk.isOver {
                walk.take(hash.scan(from: walk.from, count: walk.count))
                steps += 1
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

    @Test func `a server that holds it in another form tells it again`() throws {
        var hash = ScannedHash((0..<600).map { "u\($0)" })
        for number in 300..<600 { hash.remove("u\(number)") }
        let told = try told(of: &hash, limit: { _ in 70 }) { hash, page in if page == 1 { hash.loadAgain() } }
        #expect(Set(told) == hash.members)
    }

    @Test func `a cursor of a gateway that knew no end begins its step again`() throws {
        var hash = ScannedHash((0..<700).map { "u\($0)" })
        let told = try told(of: &hash, from: "0.u5", limit: { _ in 1000 })
        #expect(Set(told) == hash.members)
    }

    @Test func `a cursor is read as it is written`() throws {
        for text in ["0", "12", "0-0.u", "96-160.a.b-c", "7-9."] {
            #expect(try MemberCursor(read: text).text == text)
        }
        #expect(try MemberCursor(read: "5-6.a.b").told == MemberCursor.Told(end: 6, after: "a.b"))
        #expect(try MemberCursor(read: "5.a").text == "5" && MemberCursor(read: nil).text == "0")
        for text in ["", "x", "-", "1-", "-1", "1-2", "1-2-3.u", "a-2.u", "1-b.u", "18446744073709551616"] {
            #expect(throws: DirectoryError.badCursor, "\(text)") { try MemberCursor(read: text) }
        }
    }

    @Test func `a scan goes from the highest bit down, and ends at 0`() {
        // As a table of 8 is gone through, 0 before all and behind.
        let order: [UInt64] = [4, 2, 6, 1, 5, 3, 7, 0]
        for (index, place) in order.enumerated() {
            for (other, end) in order.enumerated() { #expect(MemberCursor.isPast(place, end) == (index > other)) }
        }
    }
}
