import GatewayCore
import SocketServer
import Testing
import TestSupport

@Suite
struct StrangerPoolTests {
    private static let a = IPAddress("192.0.2.1") ?? .unspecified
    private static let b = IPAddress("192.0.2.2") ?? .unspecified
    private static let c = IPAddress("192.0.2.3") ?? .unspecified

    @Test func `the oldest of the address with most gives way`() {
        var pool = StrangerPool<String>()
        _ = pool.enter("a1", from: Self.a)
        _ = pool.enter("b1", from: Self.b)
        _ = pool.enter("b2", from: Self.b)
        _ = pool.enter("c1", from: Self.c)
        #expect(pool.giveWay() == "b1")
        _ = pool.enter("c2", from: Self.c)
        #expect(pool.giveWay() == "c1")
        #expect(pool.count == 3)
    }

    @Test func `who has left or given way is in nobody's way, and its ticket is worth nothing`() {
        var pool = StrangerPool<String>()
        let a1 = pool.enter("a1", from: Self.a)
        let a2 = pool.enter("a2", from: Self.a)
        pool.leave(a1)
        let b1 = pool.enter("b1", from: Self.b)
        pool.leave(a1)
        pool.shelter(a1)
        #expect(pool.count == 2)
        _ = pool.enter("b2", from: Self.b)
        #expect(pool.giveWay() == "b1")
        pool.leave(b1)
        pool.leave(a2)
        #expect(pool.giveWay() == "b2")
        #expect(pool.giveWay() == nil)
        #expect(pool.count == 0)
    }

    @Test func `one that has shown a token does not give way while that is checked`() {
        var pool = StrangerPool<String>()
        let a1 = pool.enter("a1", from: Self.a)
        let a2 = pool.enter("a2", from: Self.a)
        _ = pool.enter("b1", from: Self.b)
        pool.shelter(a1)
        pool.shelter(a1)
        pool.shelter(a2)
        #expect(pool.giveWay() == "b1")
        #expect(pool.giveWay() == nil)
        #expect(pool.count == 2)
        pool.expose(a2)
        pool.expose(a2)
        #expect(pool.giveWay() == "a2")
        pool.leave(a1)
        #expect(pool.count == 0)
    }

    @Test func `one that a proxy has named counts at that address, as its newest`() {
        var pool = StrangerPool<String>()
        let one = pool.enter("one", from: Self.a)
        let two = pool.enter("two", from: Self.a)
        _ = pool.enter("b1", from: Self.b)
        pool.move(one, to: Self.b)
        #expect(pool.giveWay() == "b1")
        pool.shelter(two)
        pool.move(two, to: Self.c)
        pool.expose(two)
        _ = pool.enter("c2", from: Self.c)
        #expect(pool.giveWay() == "two")
    }

    /// The same by counting all there are at each step.
    @Test(arguments: 0..<8)
    func `who gives way is always the oldest of an address with most, whatever came and went before`(seed: UInt64) {
        struct Stranger {
            var name: Int
            var ticket: StrangerTicket
            var address: IPAddress
            var isSheltered = false
        }
        var random = SplitMix(seed: seed + 1)
        var pool = StrangerPool<Int>()
        var strangers: [Stranger] = []
        let addresses = (0..<6).compactMap { IPAddress("10.0.0.\($0)") }
        for name in 0..<3000 {
            let index = strangers.isEmpty ? 0 : Int.random(in: 0..<strangers.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where !strangers.isEmpty:
                pool.leave(strangers.remove(at: index).ticket)
            case 1 where !strangers.isEmpty:
                pool.shelter(strangers[index].ticket)
                strangers[index].isSheltered = true
            case 2 where !strangers.isEmpty && strangers[index].isSheltered:
                var exposed = strangers.remove(at: index)
                pool.expose(exposed.ticket)
                exposed.isSheltered = false
                strangers.append(exposed)
            case 3:
                let open = strangers.filter { !$0.isSheltered }
                let counts = Dictionary(grouping: open, by: \.address).mapValues(\.count)
                let most = counts.values.max()
                let oldest = addresses.filter { most != nil && counts[$0] == most }
                    .compactMap { address in open.first { $0.address == address }?.name }
                let outcast = pool.giveWay()
                #expect(outcast.map(oldest.contains) ?? oldest.isEmpty)
                strangers.removeAll { $0.name == outcast }
            default:
                guard let address = addresses.randomElement(using: &random) else { continue }
                strangers.append(Stranger(name: name, ticket: pool.enter(name, from: address), address: address))
            }
            #expect(pool.count == strangers.count)
        }
    }
}

@Suite
struct AdmissionTests {
    private static let a = IPAddress("192.0.2.1")
    private static let b = IPAddress("192.0.2.2")

    private func outcome(_ opening: Admission<String>.Opening) -> String {
        switch opening {
        case .admitted(_, nil): "admitted"
        case .admitted(_, let outcast?): "admitted for \(outcast)"
        case .refused: "refused"
        case .dropped(.address): "address"
        case .dropped(.strangers): "strangers"
        }
    }

    private func slot(_ opening: Admission<String>.Opening) throws -> Slot {
        switch opening {
        case .admitted(let slot, _), .refused(let slot, _): slot
        case .dropped: throw Dropped()
        }
    }

    private struct Dropped: Error {}

    @Test
    func `an address holds so many sockets, half-open ones too; a few more are told so, and the rest get no word`()
        throws
    {
        var admission = Admission<String>(maxConnections: 1000, spare: 10, maxPerAddress: 2)
        let first = try slot(admission.open("1", from: Self.a, isProxy: false))
        #expect(outcome(admission.open("2", from: Self.a, isProxy: false)) == "admitted")
        let told = try (0..<AddressCounts.maxRefused).map { _ in
            let opening = admission.open("x", from: Self.a, isProxy: false)
            #expect(outcome(opening) == "refused")
            return try slot(opening)
        }
        #expect(outcome(admission.open("y", from: Self.a, isProxy: false)) == "address")
        #expect(outcome(admission.open("b", from: Self.b, isProxy: false)) == "admitted")
        admission.close(first)
        for slot in told { admission.close(slot) }
        #expect(outcome(admission.open("3", from: Self.a, isProxy: false)) == "admitted")
        #expect(outcome(admission.open("4", from: Self.a, isProxy: false)) == "refused")
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func `a /64 of IPv6 is one address, and this machine's are not counted`(loopback: String) throws {
        var admission = Admission<String>(maxConnections: 1000, spare: 10, maxPerAddress: 1)
        #expect(outcome(admission.open("1", from: IPAddress("2001:db8::1"), isProxy: false)) == "admitted")
        #expect(outcome(admission.open("2", from: IPAddress("2001:db8::ffff:2"), isProxy: false)) == "refused")
        #expect(outcome(admission.open("3", from: IPAddress("2001:db8:0:1::1"), isProxy: false)) == "admitted")
        for _ in 1...100 {
            #expect(outcome(admission.open("l", from: IPAddress(loopback), isProxy: false)) == "admitted")
        }
    }

    @Test func `a trusted proxy may bring any number; each counts where the proxy says it is from`() throws {
        var admission = Admission<String>(maxConnections: 1000, spare: 10, maxPerAddress: 1)
        let client = try #require(Self.b)
        var slots: [Slot] = []
        for _ in 1...3 { slots.append(try slot(admission.open("p", from: Self.a, isProxy: true))) }
        #expect(admission.name(client, isProxy: false, &slots[0]) == true)
        #expect(slots[0].address == client)
        #expect(admission.name(client, isProxy: false, &slots[1]) == false)
        #expect(outcome(admission.open("b", from: client, isProxy: false)) == "refused")
        admission.close(slots[0])
        #expect(admission.name(client, isProxy: false, &slots[2]) == true)
        #expect(outcome(admission.open("a", from: Self.a, isProxy: false)) == "admitted")
        let loopback = try #require(IPAddress("127.0.0.1"))
        for _ in 1...3 {
            var slot = try slot(admission.open("p", from: Self.a, isProxy: true))
            #expect(admission.name(loopback, isProxy: false, &slot) == true)
        }
    }

    @Test func `strangers have a quarter, in which the address with most makes room; those vouched for have the rest`()
        throws
    {
        var admission = Admission<String>(maxConnections: 16, spare: 10, maxPerAddress: 0)
        for name in ["a1", "a2", "a3"] {
            #expect(outcome(admission.open(name, from: Self.a, isProxy: false)) == "admitted")
        }
        var guest = try slot(admission.open("b1", from: Self.b, isProxy: false))
        #expect(outcome(admission.open("b2", from: Self.b, isProxy: false)) == "admitted for a1")
        #expect(guest.isStranger)
        admission.vouch(for: &guest)
        #expect(!guest.isStranger)
        #expect(outcome(admission.open("a4", from: Self.a, isProxy: false)) == "admitted")
        #expect(outcome(admission.open("b3", from: Self.b, isProxy: false)) == "admitted for a2")
    }

    @Test func `where all strangers have shown tokens a newcomer waits outside, and gets in when one was no good`()
        throws
    {
        var admission = Admission<String>(maxConnections: 8, spare: 10, maxPerAddress: 0)
        let slots = try ["a1", "a2"].map { try slot(admission.open($0, from: Self.a, isProxy: false)) }
        for slot in slots { admission.shelter(slot) }
        #expect(outcome(admission.open("b1", from: Self.b, isProxy: false)) == "strangers")
        admission.expose(slots[1])
        #expect(outcome(admission.open("b1", from: Self.b, isProxy: false)) == "admitted for a2")
    }

    @Test func `where those vouched for leave less, strangers have less, but never nothing`() throws {
        var admission = Admission<String>(maxConnections: 16, spare: 4, maxPerAddress: 0)
        for _ in 1...17 {
            var slot = try slot(admission.open("m", from: Self.a, isProxy: false))
            admission.vouch(for: &slot)
        }
        for _ in 1...3 { #expect(outcome(admission.open("s", from: Self.b, isProxy: false)) == "admitted") }
        #expect(outcome(admission.open("t", from: Self.b, isProxy: false)) == "admitted for s")
        #expect(outcome(admission.open("u", from: Self.b, isProxy: false)) == "admitted for s")
        // Two that gave way are still open: there is no descriptor for a third.
        #expect(outcome(admission.open("v", from: Self.b, isProxy: false)) == "strangers")
    }
}
