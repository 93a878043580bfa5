import RedisBackend
import Testing

@Suite("A node's hold on its name")
struct LeaseTests {
    private var lease = Lease(leaseMilliseconds: 3000)

    private func beat(_ number: Int64, of incarnation: Int64 = 50) -> LastBeat {
        LastBeat(incarnation: incarnation, number: number)
    }

    @Test mutating func `it registers, renews, and registers anew under a higher incarnation when its entry is gone`() {
        #expect(lease.next == .register(after: 0))
        #expect(lease.received(.registered(incarnation: 7), now: 0) == .held)
        #expect(lease.next == .renew(incarnation: 7, beat: 0))
        #expect(lease.received(.renewed(beat: 1), now: 1000) == .held)
        #expect(lease.next == .renew(incarnation: 7, beat: 1))
        #expect(lease.received(.lost, now: 2000) == .lost)
        #expect(lease.next == .register(after: 7))
        #expect(lease.received(.registered(incarnation: 8), now: 2010) == .held)
        #expect(lease.next == .renew(incarnation: 8, beat: 0))
    }

    @Test mutating func `a name that another renews is waited for, two leases long, then refused`() {
        for second in 0...6 {
            #expect(lease.received(.taken(by: beat(Int64(second))), now: Int64(second) * 1000) == .waiting)
        }
        #expect(lease.received(.taken(by: beat(7)), now: 7000) == .refused)
    }

    @Test mutating func `a name whose holder has not beaten for a lease is asked for, whatever any clock shows`() {
        for second in 0...2 {
            #expect(lease.received(.taken(by: beat(4)), now: Int64(second) * 1000) == .waiting)
            #expect(lease.next == .register(after: 0))
        }
        #expect(lease.received(.taken(by: beat(4)), now: 3000) == .free)
        #expect(lease.next == .register(after: 0, over: beat(4)))
        #expect(lease.received(.registered(incarnation: 51), now: 3001) == .held)
        #expect(lease.next == .renew(incarnation: 51, beat: 0))
    }

    @Test mutating func `a holder that beats again while its name is asked for keeps it`() {
        for second in 0...3 { _ = lease.received(.taken(by: beat(4)), now: Int64(second) * 1000) }
        #expect(lease.received(.taken(by: beat(5)), now: 3001) == .waiting)
        #expect(lease.next == .register(after: 0))
    }

    @Test mutating func `one that wakes to find its name taken is refused once the other goes on beating`() {
        _ = lease.received(.registered(incarnation: 7), now: 0)
        #expect(lease.received(.taken(by: beat(1)), now: 9000) == .waiting)
        #expect(lease.next == .register(after: 7))
        #expect(lease.received(.taken(by: beat(4)), now: 12_000) == .waiting)
        #expect(lease.received(.taken(by: beat(5)), now: 12_001) == .refused)
    }

    @Test mutating func `one whose entry was lost and whose name is then taken is refused as well`() {
        _ = lease.received(.registered(incarnation: 7), now: 0)
        _ = lease.received(.lost, now: 9000)
        #expect(lease.received(.taken(by: beat(1)), now: 9001) == .waiting)
        #expect(lease.received(.taken(by: beat(4)), now: 12_001) == .waiting)
        #expect(lease.received(.taken(by: beat(5)), now: 12_002) == .refused)
    }

    @Test mutating func `one that meets its own predecessor in a copy has its name again after a lease`() {
        _ = lease.received(.registered(incarnation: 7), now: 0)
        for second in 9...11 {
            #expect(lease.received(.taken(by: beat(30, of: 6)), now: Int64(second) * 1000) == .waiting)
        }
        #expect(lease.received(.taken(by: beat(30, of: 6)), now: 12_000) == .free)
        #expect(lease.next == .register(after: 7, over: beat(30, of: 6)))
    }

    @Test mutating func `what was seen of another before a silence counts neither for it nor against it`() {
        _ = lease.received(.registered(incarnation: 7), now: 0)
        #expect(lease.received(.taken(by: beat(1)), now: 9000) == .waiting)
        #expect(lease.received(.taken(by: beat(1)), now: 20_000) == .waiting)
        #expect(lease.next == .register(after: 7))
        #expect(lease.received(.taken(by: beat(2)), now: 21_000) == .waiting)
    }
}
