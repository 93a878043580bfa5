import RedisBackend
import Testing

@Suite("A node's hold on its name")
struct LeaseTests {
    private var lease = Lease(leaseMilliseconds: 3000)

    @Test mutating func `it registers, renews, and registers anew under a higher incarnation when its entry is gone`() {
        #expect(lease.next == .register(after: 0))
        #expect(lease.received(.registered(incarnation: 7), now: 0) == .held)
        #expect(lease.next == .renew(incarnation: 7, leaseEnd: 0))
        #expect(lease.received(.renewed(leaseEnd: 4000), now: 1000) == .held)
        #expect(lease.next == .renew(incarnation: 7, leaseEnd: 4000))
        #expect(lease.received(.lost, now: 2000) == .lost)
        #expect(lease.next == .register(after: 7))
        #expect(lease.received(.registered(incarnation: 8), now: 2010) == .held)
        #expect(lease.next == .renew(incarnation: 8, leaseEnd: 0))
    }

    @Test mutating func `a name that is held is waited for, two leases long, then refused`() {
        #expect(lease.received(.taken, now: 100) == .waiting)
        #expect(lease.received(.taken, now: 6100) == .waiting)
        #expect(lease.received(.taken, now: 6101) == .refused)
    }

    @Test mutating func `one that wakes to find its name taken is refused once the other has renewed its lease`() {
        _ = lease.received(.registered(incarnation: 7), now: 0)
        #expect(lease.received(.taken, now: 9000) == .waiting)
        #expect(lease.next == .register(after: 7))
        #expect(lease.received(.taken, now: 12_000) == .waiting)
        #expect(lease.received(.taken, now: 12_001) == .refused)
    }

    @Test mutating func `one whose entry was lost and whose name is then taken is refused as well`() {
        _ = lease.received(.registered(incarnation: 7), now: 0)
        _ = lease.received(.lost, now: 9000)
        #expect(lease.received(.taken, now: 9001) == .waiting)
        #expect(lease.received(.taken, now: 12_002) == .refused)
    }

    @Test mutating func `one that meets the lease of its own predecessor has its name again once that has ended`() {
        _ = lease.received(.registered(incarnation: 7), now: 0)
        #expect(lease.received(.taken, now: 9000) == .waiting)
        #expect(lease.received(.registered(incarnation: 8), now: 11_900) == .held)
        #expect(lease.received(.taken, now: 30_000) == .waiting)
    }
}
