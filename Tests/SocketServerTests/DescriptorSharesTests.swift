import SocketServer
import Testing

@Suite struct DescriptorSharesTests {
    @Test(
        arguments: [1, 2, 20, 100, 1000, 1024, 2500, 12_500, 65_536, 1 << 20, .max],
        [0, 1, 500, 1900, 12_000, 10_000_000])
    func `clients and backends never take what the node needs itself`(limit: Int, wanted: Int) {
        let shares = DescriptorShares(limit: limit, wanted: wanted)
        #expect(shares.clients >= 1 && shares.api >= 2 && shares.api <= 1000)
        guard limit >= 100 else { return }
        let left = limit - shares.clients - shares.spare - shares.spare / 2 - shares.api
        #expect(left >= min(500, limit / 2) * 3 / 10)
    }

    @Test func `where nothing is said, clients are what the limit leaves beyond 500, or half of it`() {
        #expect(DescriptorShares(limit: 1024, wanted: 0).clients == 524)
        #expect(DescriptorShares(limit: 600, wanted: 0).clients == 300)
        #expect(DescriptorShares(limit: 2500, wanted: 0).api == 200)
    }

    @Test func `the api port has as many as 1,000 where clients leave room`() {
        #expect(DescriptorShares(limit: 1 << 20, wanted: 12_000).api == 1000)
        #expect(DescriptorShares(limit: 12_500, wanted: 12_000).api == 200)
        #expect(DescriptorShares(limit: 12_500, wanted: 11_000).api == 600)
    }

    @Test func `more clients than the limit leaves are cut to it`() {
        #expect(DescriptorShares(limit: 1024, wanted: 10_000).clients == 524)
        #expect(DescriptorShares(limit: 1024, wanted: 524).clients == 524)
    }

    @Test func `a reload gives clients nothing of what the api port has`() {
        let few = DescriptorShares(limit: 3000, wanted: 100)
        #expect(few.api == 1000)
        #expect(few.clients(wanted: 2500) == 500)
        #expect(few.clients(wanted: 0) == 500)
        #expect(few.clients(wanted: 400) == 400)
        let all = DescriptorShares(limit: 3000, wanted: 0)
        #expect(all.clients(wanted: 100) == 100)
        #expect(all.clients(wanted: 5000) == 2500)
    }
}
