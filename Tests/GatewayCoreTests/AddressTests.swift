import GatewayCore
import Testing

@Suite
struct AddressTests {
    @Test(
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "9.9.9.9", true),
            ("0.0.0.0/0", "::1", false), ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.128/25", "192.0.2.127", false), ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe80::1", false),
            ("::/0", "10.0.0.1", true), ("2001:db8::/65", "2001:db8::8000:0:0:1", false),
            ("2001:db8::/65", "2001:db8::7000:0:0:1", true), ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ])
    func `a range contains the addresses with its prefix`(range: String, address: String, contains: Bool) throws {
        let range = try #require(AddressRange(range))
        #expect(range.contains(try #require(IPAddress(address))) == contains)
    }

    @Test(arguments: ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "x", "10.0.0.0/8/8", "1/+1"])
    func `what is no range is refused`(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test(
        arguments: [
            ("10.1.2.3/8", "10.0.0.0/8"), ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("192.0.2.7/32", "192.0.2.7"),
            ("2001:db8:0:0:1::/64", "2001:db8::/64"), ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"), ("::1/128", "::1"),
        ])
    func `ranges that hold the same addresses are one, and printed as CIDR has it`(text: String, written: String) throws
    {
        let range = try #require(AddressRange(text))
        #expect(range.description == written)
        #expect(range == AddressRange(written))
    }

    @Test func `limits count an IPv4 address by itself and IPv6 by its /64`() throws {
        #expect(try #require(IPAddress("192.0.2.1")).counted == IPAddress("192.0.2.1"))
        #expect(try #require(IPAddress("2001:db8::1")).counted == IPAddress("2001:db8:0:0:ffff::9")?.counted)
        #expect(try #require(IPAddress("2001:db8::1")).counted != IPAddress("2001:db8:0:1::1")?.counted)
    }

    @Test(
        arguments: [
            ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("128.0.0.1", false),
            ("::2", false), ("::", false), ("1::1", false), ("0.0.0.0", false), ("10.0.0.1", false),
        ])
    func `this machine alone is loopback`(text: String, isLoopback: Bool) throws {
        #expect(try #require(IPAddress(text)).isLoopback == isLoopback)
    }

    @Test(arguments: ["127.0.0.1\0x", "127.1", "0x7f.0.0.1", "127.0.0.1 ", "[::1]", "::1%lo"])
    func `what only begins with an address is none`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: ["192.0.2.1", "2001:db8::1", "::1", "0.0.0.0"])
    func `an address is printed as it is usually written`(text: String) {
        #expect(IPAddress(text)?.description == text)
    }
}

@Suite
struct BannedAddressesTests {
    @Test func `an address is banned by any range that holds it, until its end`() throws {
        let bans = BannedAddresses()
        let address = try #require(IPAddress("192.0.2.7"))
        #expect(!bans.contains(address, wallMilliseconds: 0))
        bans.replace(with: try [("192.0.2.0/24", 1000), ("192.0.2.7", 2000), ("2001:db8::/32", 1000)].map(ban))
        #expect(bans.contains(address, wallMilliseconds: 1999))
        #expect(!bans.contains(address, wallMilliseconds: 2000))
        let neighbour = try #require(IPAddress("192.0.2.8"))
        #expect(bans.contains(neighbour, wallMilliseconds: 999))
        #expect(!bans.contains(neighbour, wallMilliseconds: 1000))
        #expect(bans.contains(try #require(IPAddress("2001:db8:9::1")), wallMilliseconds: 0))
        #expect(!bans.contains(try #require(IPAddress("192.0.3.7")), wallMilliseconds: 0))
    }

    @Test func `of a range that is named twice the later end holds, and a new list takes the old one's place`() throws {
        let bans = BannedAddresses()
        let address = try #require(IPAddress("192.0.2.7"))
        bans.replace(with: try [("192.0.2.7", 2000), ("192.0.2.7/32", 1000)].map(ban))
        #expect(bans.contains(address, wallMilliseconds: 1500))
        bans.replace(with: [])
        #expect(!bans.contains(address, wallMilliseconds: 0))
    }

    private func ban(_ cidr: String, until: Int64) throws -> BannedAddresses.Ban {
        BannedAddresses.Ban(range: try #require(AddressRange(cidr)), until: until)
    }
}
