import GatewayCore
import Testing

@Suite
struct LoopbackFenceTests {
    private static let fence = LoopbackFence(boundHost: "127.0.0.1", isWeak: true, origins: [])

    @Test(
        arguments: [
            "127.0.0.1", "127.0.0.1:8081", "127.9.9.9:1", "[::1]", "[::1]:8081", "[0:0:0:0:0:0:0:1]:80",
            "[::ffff:127.0.0.1]", "localhost", "localhost:8080", "LocalHost", "localhost.", "localhost.:8080",
            "localhost:",
            "app.localhost", "app.localhost.:3000",
        ])
    func `a weak port on loopback answers loopback addresses, localhost and names under it`(host: String) {
        #expect(Self.fence.serves(host))
    }

    @Test(
        arguments: [
            "evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.evil.example", "evillocalhost",
            "localhost.evil", "evil.example#localhost", "127.0.0.1@evil.example", "evil.example:127", "10.0.0.1",
            "192.168.1.1", "0.0.0.0", "[::]", "[::2]", "::1", "localhost..", ".", "", "127.0.0.1:80:80", "localhost:x",
            "localhost:99999", "[::1", "[::1]x", "[localhost]", "[127.0.0.1]", "0x7f.0.0.1", "%6cocalhost",
            "localhost ",
            "localhost\u{0}",
        ])
    func `whatever another site's name may be made to lead to is sent away`(host: String) {
        #expect(!Self.fence.serves(host))
    }

    @Test func `a request without any host is sent away`() {
        #expect(!Self.fence.serves(nil))
    }

    @Test func `a name that an origin of the settings has is served, whatever its port and case`() {
        let fence = LoopbackFence(
            boundHost: "localhost", isWeak: true, origins: ["https://dev.example:8443", "http://[2001:db8::1]"])
        #expect(fence.serves("DEV.example:8080"))
        #expect(fence.serves("dev.example."))
        #expect(fence.serves("[2001:db8:0::1]:8080"))
        #expect(fence.serves("127.0.0.1"))
        #expect(!fence.serves("dev.example.evil"))
        #expect(!fence.serves("sub.dev.example"))
    }

    @Test func `a star that somebody wrote opens the port, and so does what protects well or is bound elsewhere`() {
        #expect(LoopbackFence(boundHost: "127.0.0.1", isWeak: true, origins: ["*"]).serves("evil.example"))
        #expect(LoopbackFence(boundHost: "127.0.0.1", isWeak: false, origins: []).serves("public.example"))
        for host in ["0.0.0.0", "::", "10.0.0.1", "gateway"] {
            #expect(LoopbackFence(boundHost: host, isWeak: true, origins: []).serves("public.example"))
        }
        #expect(LoopbackFence.open.serves(nil))
    }

    @Test(arguments: ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
    func `every way to write this machine is bound to loopback`(host: String) {
        #expect(!LoopbackFence(boundHost: host, isWeak: true, origins: []).serves("evil.example"))
    }
}

@Suite
struct OriginTests {
    @Test(
        arguments: [
            ("https://App.Example", "https://app.example"), ("https://app.example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"), ("https://app.example:80", "https://app.example:80"),
            ("HTTP://[::1]:3000", "http://[::1]:3000"), ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
            ("https://app.example:", "https://app.example"), ("https://app.example.", "https://app.example"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("https://app.example:08443", "https://app.example:8443"),
        ])
    func `an origin is brought into the form that browsers send`(text: String, form: String) {
        #expect(Origin(text)?.description == form)
    }

    @Test(
        arguments: [
            "", "null", "app.example", "https://", "https:///", "https://app.example/", "https://a b", "https://a?b",
            "https://user@a", "://a", "1s://a", "https://a:65536", "https://a:b", "https://*.a/",
            "https://münchen.example",
            "https:/a", "https://[::1", "file://",
        ])
    func `what is no origin is refused`(text: String) {
        #expect(Origin(text) == nil)
    }

    @Test func `the pages of a list are let in, however it writes them, and no others`() {
        let rule: OriginRule = ["https://App.Example:443", "http://localhost:3000"]
        for origin in ["https://app.example", "http://localhost:3000", "https://app.example:443"] {
            #expect(rule.letsIn(origin))
        }
        for origin in [
            "http://app.example", "https://app.example.evil", "null", "", "http://localhost", "http://127.0.0.1:3000",
        ] {
            #expect(!rule.letsIn(origin))
        }
        #expect(OriginRule(["*"]).letsIn("null"))
    }

    @Test func `the pages of this machine are let in from any port, and no page beside them`() {
        let rule = OriginRule([], letsLoopbackIn: true)
        for origin in [
            "http://localhost", "https://localhost:3000", "http://127.0.0.1:8081", "http://[::1]:5173",
            "http://app.localhost",
        ] {
            #expect(rule.letsIn(origin))
        }
        for origin in [
            "null", "https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "file://",
        ] {
            #expect(!rule.letsIn(origin))
        }
    }
}
