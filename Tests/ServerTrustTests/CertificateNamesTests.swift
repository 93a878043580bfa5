import ServerTrust
import Testing

@Suite struct CertificateNamesTests {
    private func isFor(_ host: String, names: [String] = [], addresses: [[UInt8]] = []) -> Bool {
        CertificateNames(names: names.map { Array($0.utf8) }, addresses: addresses).include(ServerName(host))
    }

    private static let loopback: [UInt8] = [127, 0, 0, 1]
    private static let loopback6: [UInt8] = Array(repeating: 0, count: 15) + [1]

    @Test(arguments: [
        ("redis.example", "redis.example"), ("redis.example", "REDIS.Example"), ("Redis.EXAMPLE", "redis.example"),
        ("redis.example.", "redis.example"), ("redis.example", "redis.example."), ("localhost", "localhost"),
        ("a.example.com", "*.example.com"), ("A.example.com.", "*.EXAMPLE.com"), ("a.internal", "*.internal"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"), ("a.xn--bcher-kva.example", "*.xn--bcher-kva.example"),
        ("1.example", "*.example"),
    ])
    func `a name is among names, whatever their case and final dot, a star for one label`(
        host: String, offered: String
    ) {
        #expect(isFor(host, names: ["other.example", offered]))
    }

    @Test(arguments: [
        ("redis.example", "redis.example.com"), ("redis.example", "example"), ("redis.example", "dis.example"),
        ("example.com", "*.example.com"), ("a.b.example.com", "*.example.com"), (".example.com", "*.example.com"),
        ("a.example.com", "a*.example.com"), ("ab.example.com", "*b.example.com"),
        ("a.b.example.com", "a.*.example.com"), ("localhost", "*"), ("a.example", "*"), ("a.example", "*."),
        ("a.", "*."),
        ("a..", "*.."), ("a.example", "**.example"),
        ("xn--bcher-kva.example", "*.example"), ("XN--bcher-kva.example", "*.example"),
        ("redis.example", "redis.example.."), ("redis.example", ""), ("", ""), (".", "."), ("..", ".."), ("", "*"),
        ("redis.example", "redis.example\0"), ("redis.example\0", "redis.example\0"),
        ("redis_1.example", "redis_1.example"), ("*.example", "*.example"),
        ("b\u{fc}cher.example", "b\u{fc}cher.example"),
        // K as the sign of kelvin, whose lower case is k.
        ("\u{212A}ey.example", "key.example"), ("key.example", "\u{212A}ey.example"),
        // Which C's inet_aton takes for an address.
        ("0x7f.1", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "*.0.0.1"), ("::1", "::1"),
    ])
    func `no other name is`(host: String, offered: String) {
        #expect(!isFor(host, names: [offered]))
    }

    @Test func `an address is among addresses alone, and a name never`() {
        let addresses = [CertificateNamesTests.loopback, CertificateNamesTests.loopback6]
        for host in ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1"] { #expect(isFor(host, addresses: addresses), "\(host)") }
        let others = [
            "127.0.0.2", "::2", "::ffff:127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.0.0.1.", "::1%lo",
        ]
        for host in others {
            #expect(!isFor(host, addresses: addresses), "\(host)")
        }
        #expect(!isFor("localhost", names: ["other.example"], addresses: addresses))
        #expect(isFor("localhost", names: ["localhost"], addresses: addresses))
        #expect(!isFor("127.0.0.1", addresses: [Array("127.0.0.1".utf8), []]))
    }

    @Test func `what is neither a name nor an address is for nobody, and is something`() {
        let mail = CertificateNames(others: 1)
        #expect(!mail.isEmpty && !mail.include(ServerName("localhost")) && !mail.include(ServerName("127.0.0.1")))
        #expect(CertificateNames().isEmpty && !CertificateNames().include(ServerName("localhost")))
    }
}
