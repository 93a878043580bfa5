import GatewayCore
import RedisBackend
import Testing

@Suite("Presence rules")
struct PresenceRulesTests {
    @Test func `all nodes agree on a partition's coordinator, shares are even, and one that goes moves only its own`()
        throws
    {
        let nodes = ["node-0", "node-1", "node-2", "node-3"]
        func owners(_ nodes: [String]) -> [String] {
            Partition.all.compactMap { Rendezvous.coordinator(of: $0, among: nodes) }
        }
        let before = owners(nodes)
        #expect(owners(nodes.reversed()) == before)
        for node in nodes { #expect((6...28).contains(before.filter { $0 == node }.count)) }
        let after = owners(Array(nodes.dropLast()))
        for (old, new) in zip(before, after) where old != "node-3" { #expect(old == new) }
        #expect(!after.contains("node-3"))
        #expect(owners([]) == [])
    }

    @Test func `a node may declare others dead after one lease of beats answered soon, and no longer than that`() {
        var right = DeclarationRight(lease: 3000, interval: 1000)
        right.confirmed(until: .max)
        #expect(right.expected(now: 0) == nil)
        for beat in 0...3 {
            let sent = Int64(beat) * 1000
            #expect(!right.holds(now: sent))
            right.answered(sent: sent, now: sent + 2, redis: 50_000 + sent)
        }
        #expect(right.holds(now: 3002))
        #expect(right.expected(now: 3002) == 53_000)
        #expect(!right.holds(now: 5003))
    }

    @Test func `beats answered by a server that is not confirmed as the primary give no right, however long`() {
        var right = DeclarationRight(lease: 3000, interval: 1000)
        for beat in 0...9 as ClosedRange<Int64> {
            right.answered(sent: beat * 1000, now: beat * 1000, redis: 50_000 + beat * 1000)
            #expect(!right.holds(now: beat * 1000))
        }
        right.confirmed(until: 9500)
        #expect(right.holds(now: 9500) && right.expected(now: 9500) == 59_500)
        #expect(!right.holds(now: 9501) && right.expected(now: 9501) == nil)
    }

    @Test(arguments: ["late", "missing", "slept"])
    func `a late answer, a missing one and a node that slept each take the right away for a lease`(how: String) {
        var right = DeclarationRight(lease: 3000, interval: 1000)
        right.confirmed(until: .max)
        for beat in 0...4 {
            let sent = Int64(beat) * 1000
            right.answered(sent: sent, now: sent + 2, redis: 50_000 + sent)
        }
        #expect(right.holds(now: 4002))
        switch how {
        case "late": right.answered(sent: 5000, now: 6001, redis: 56_001)
        case "missing": right.failed()
        default: right.answered(sent: 12_000, now: 12_002, redis: 62_000)
        }
        #expect(!right.holds(now: how == "slept" ? 12_002 : 6001))
        let start: Int64 = how == "slept" ? 13_000 : 7000
        for beat in 0...2 {
            let sent = start + Int64(beat) * 1000
            right.answered(sent: sent, now: sent + 2, redis: sent + 50_000)
        }
        let end = start + 3000
        right.answered(sent: end, now: end + 2, redis: end + 50_000)
        #expect(right.holds(now: end + 2))
    }

    @Test(arguments: [60_000, -60_000, 3_600_000, -3_600_000] as [Int64])
    func `a step of Redis's clock leaves the right as it is, and is seen by the next beat`(step: Int64) {
        var right = DeclarationRight(lease: 3000, interval: 1000)
        right.confirmed(until: .max)
        for beat in 0...3 as ClosedRange<Int64> {
            right.answered(sent: beat * 1000, now: beat * 1000, redis: 5_000_000 + beat * 1000)
        }
        right.answered(sent: 4000, now: 4000, redis: 5_004_000 + step)
        #expect(right.expected(now: 4500) == 5_004_500 + step)
    }

    @Test func `a node that may be with the server before this one coordinates nothing here`() {
        let nodes = ["gone": Int64(400), "here": 700, "back": 900]
        let met = IndexSnapshot(newest: 999, incarnations: nodes, isSure: true, spares: 700)
        #expect(Set(met.present) == [Holder(node: "here", incarnation: 700), Holder(node: "back", incarnation: 900)])
        let settled = IndexSnapshot(newest: 999, incarnations: nodes, isSure: true)
        #expect(settled.present.count == 3)
    }

    @Test
    func `partitions are shared among the able that are with this server, or among all of them where none is able`() {
        func snapshot(_ unable: Set<String>) -> IndexSnapshot {
            IndexSnapshot(
                newest: 999, incarnations: ["gone": 400, "a": 700, "b": 800, "c": 900], unable: unable, isSure: true,
                spares: 700)
        }
        #expect(Set(snapshot([]).coordinators.map(\.node)) == ["a", "b", "c"])
        #expect(Set(snapshot(["a"]).coordinators.map(\.node)) == ["b", "c"])
        #expect(snapshot(["a", "b"]).coordinators.map(\.node) == ["c"])
        // Who may be with another server is no help.
        #expect(Set(snapshot(["a", "b", "c"]).coordinators.map(\.node)) == ["a", "b", "c"])
        // Unable is not dead.
        #expect(!snapshot(["a"]).mustSweep(Holder(node: "a", incarnation: 700), fence: 0))
    }

    @Test func `what is missing from the index is swept, unless it came after the index was read or nothing is sure`() {
        let index = IndexSnapshot(newest: 999, incarnations: ["a": 500, "b": 900], isSure: true)
        #expect(index.mustSweep(Holder(node: "c", incarnation: 999), fence: 0))
        #expect(!index.mustSweep(Holder(node: "c", incarnation: 1000), fence: 0))
        #expect(!index.mustSweep(Holder(node: "a", incarnation: 500), fence: 500))
        #expect(!index.mustSweep(Holder(node: "b", incarnation: 800), fence: 800))
        #expect(index.mustSweep(Holder(node: "b", incarnation: 800), fence: 900))
        let met = IndexSnapshot(newest: 999, incarnations: [:], isSure: true, spares: 700)
        #expect(!met.mustSweep(Holder(node: "c", incarnation: 699), fence: 0))
        #expect(met.mustSweep(Holder(node: "c", incarnation: 700), fence: 0))
        let unsure = IndexSnapshot(newest: 999, incarnations: [:], isSure: false)
        #expect(!unsure.mustSweep(Holder(node: "c", incarnation: 1), fence: 0))
    }

    @Test func `what a living node has given up is swept by its own word, however unsure others are of who lives`() {
        let index = IndexSnapshot(newest: 999, incarnations: ["a": 500, "b": 900], isSure: false, spares: 700)
        #expect(index.mustSweep(Holder(node: "b", incarnation: 800), fence: 900))
        #expect(!index.mustSweep(Holder(node: "b", incarnation: 800), fence: 800))
        #expect(!index.mustSweep(Holder(node: "a", incarnation: 500), fence: 501))
        #expect(!index.mustSweep(Holder(node: "c", incarnation: 960), fence: 961))
        // What was registered with the server before this one is swept once others have had time to come as well.
        #expect(!index.mustSweep(Holder(node: "b", incarnation: 600), fence: 900))
        let sure = IndexSnapshot(newest: 999, incarnations: ["b": 900], isSure: true, spares: 700)
        #expect(sure.mustSweep(Holder(node: "b", incarnation: 600), fence: 900))
    }

    @Test func `an incarnation that was fenced is followed by one above the fence`() {
        var lease = Lease(leaseMilliseconds: 3000)
        _ = lease.received(.registered(incarnation: 7), now: 0)
        lease.renounce(above: 12)
        #expect(lease.next == .register(after: 12))
        let outcome = lease.received(.registered(incarnation: 13), now: 1)
        #expect(outcome == .held)
    }

    @Test(arguments: ["alice", "auth0|7", "|", "a b", "é"])
    func `an entry reads back as it was written, whatever the user is called`(user: String) {
        let userId = UserID(unchecked: user)
        let room = RoomName(unchecked: "lesson-1:a=b")
        let entries: [HeldEntry] = [
            .user(userId, connection: "c1"), .member(userId, connection: "c1", room: room), .guests(room),
        ]
        for entry in entries {
            #expect(HeldEntry(entry.text) == entry)
        }
        for text in ["", "u", "u|c1", "r|a|b", "x|a|b|c"] { #expect(HeldEntry(text) == nil) }
    }

    @Test func `a closing connection takes away the rooms it is in and those it only asked for`() {
        let held = HeldConnections()
        let user = UserID(unchecked: "alice")
        let connection = PresenceConnection(id: "c1", userId: user, address: "")
        let first = RoomName(unchecked: "a")
        let second = RoomName(unchecked: "b")
        let session = SessionID(of: user)
        let isNew = [held.connect(connection, session: session), held.connect(connection, session: session)]
        #expect(isNew == [true, false])
        let isIn = [("c1", first), ("c1", second), ("c2", second)].map { held.join($0.1, connection: $0.0, info: []) }
        #expect(isIn == [true, true, false])
        let left = [held.leave(first, connection: "c1"), held.leave(first, connection: "c1")]
        #expect(left == [user, nil])
        let partition = Partition(of: second)
        #expect(held.entries(in: partition).contains(.member(user, connection: "c1", room: second)))
        let gone = held.disconnect("c1")
        #expect(gone?.rooms.keys.map(\.string) == ["b"])
        #expect(Partition.all.allSatisfy { held.entries(in: $0).isEmpty && held.rooms(in: $0).isEmpty })
    }

    @Test func `a room is held as long as one connection is in it, and listed with its members where it lies`() throws {
        let held = HeldConnections()
        let room = RoomName(unchecked: "a")
        let partition = Partition(of: room)
        for name in ["c1", "c2"] {
            let user = UserID(unchecked: "user of \(name)")
            _ = held.connect(PresenceConnection(id: name, userId: user, address: ""), session: SessionID(of: user))
            // Joined twice, as a join is that is asked again.
            for _ in 0..<2 { _ = held.join(room, connection: name, info: []) }
        }
        #expect(Array(held.rooms(in: partition)) == [room])
        #expect(Set(held.members(in: partition).map(\.connection)) == ["c1", "c2"])
        _ = held.leave(room, connection: "c1")
        #expect(Array(held.rooms(in: partition)) == [room])
        #expect(held.members(in: partition).map(\.connection) == ["c2"])
        _ = held.disconnect("c2")
        #expect(held.rooms(in: partition).isEmpty && held.members(in: partition).isEmpty)
        let user = try #require(held["c1"]?.user)
        #expect(held.users(in: Partition(of: user.string)).map(\.id) == ["c1"])
    }

    @Test func `a member of two rooms of one partition stays listed there when it leaves the first`() throws {
        let held = HeldConnections()
        let user = UserID(unchecked: "alice")
        _ = held.connect(PresenceConnection(id: "c1", userId: user, address: ""), session: SessionID(of: user))
        let first = RoomName(unchecked: "r0")
        let partition = Partition(of: first)
        let second = try #require(
            (1...1000).lazy.map { RoomName(unchecked: "r\($0)") }.first { Partition(of: $0) == partition })
        for room in [first, second] { _ = held.join(room, connection: "c1", info: []) }
        #expect(held.members(in: partition).count == 2)
        _ = held.leave(first, connection: "c1")
        #expect(held.members(in: partition) == [.member(user, connection: "c1", room: second)])
        _ = held.leave(second, connection: "c1")
        #expect(held.members(in: partition).isEmpty)
    }

    @Test func `a session's name leads to its user's partition, and nothing else is taken for one`() {
        let user = UserID(unchecked: "alice")
        let session = SessionID(of: user)
        #expect(SessionID(session.string) == session)
        #expect(session.partition == Partition(of: "alice"))
        for text in [
            "", "-", "64-" + String(repeating: "A", count: 22), "01-" + String(repeating: "A", count: 22), "1-A",
            "1-" + String(repeating: "A", count: 21) + "Q", "1-" + String(repeating: "A", count: 21) + "é",
        ] {
            #expect(SessionID(text) == nil)
        }
    }

    @Test func `a page's cursor reads back as it was written`() {
        let place = PageCursor.Place(score: 1_700_000_000_000, member: "a.b|c")
        for cursor in [
            PageCursor(partition: Partition(number: 17), after: place),
            PageCursor(partition: Partition(number: 0), after: nil),
        ] {
            #expect(PageCursor(cursor.text) == cursor)
        }
        for text in ["", "64", "x", "1.", "1.a.b", "1.5"] { #expect(PageCursor(text) == nil) }
    }
}
