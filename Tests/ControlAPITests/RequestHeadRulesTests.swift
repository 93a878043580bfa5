import ControlAPI
import GatewayCore
import NIOHTTP1
import Testing

/// What a head must be before anything is done for it.
@Suite struct RequestHeadRulesTests {
    private static func status(
        _ headers: HTTPHeaders, version: HTTPVersion = .http1_1, uri: String = "/healthz",
        fence: LoopbackFence = .open
    ) -> UInt? {
        RequestHeadRules(fence: fence).refusal(
            of: HTTPRequestHead(version: version, method: .GET, uri: uri, headers: headers))?.status.code
    }

    @Test(arguments: [
        "a", "a.example", "a.example:8081", "127.0.0.1", "[::1]", "[::1]:80", "a:", "A-b_c.", "a%2Db", " a ", "a\t", "",
    ])
    func `a host is taken as RFC 3986 writes it`(_ host: String) {
        #expect(RequestHeadRulesTests.status(["Host": host]) == nil)
    }

    @Test(arguments: ["a b", "a/b", "a@b", "a:x", "a:80:80", "[::1", "[::1]x", "[a]", "::1", "a,b", "a\"b", "ü"])
    func `an invalid host is 400`(_ host: String) {
        // A comma is one of the characters of a name, and no second host.
        #expect(RequestHeadRulesTests.status(["Host": host]) == (host == "a,b" ? nil : 400))
    }

    @Test func `HTTP 1_1 needs one host, HTTP 1_0 none, and nobody may name two`() {
        #expect(RequestHeadRulesTests.status([:]) == 400)
        #expect(RequestHeadRulesTests.status([:], version: .http1_0) == nil)
        #expect(RequestHeadRulesTests.status(["Host": "a", "host": "a"]) == 400)
        #expect(RequestHeadRulesTests.status(["Host": "a", "host": "b"], version: .http1_0) == 400)
        #expect(RequestHeadRulesTests.status([:], uri: "http://a/healthz") == 400)
    }

    @Test func `other expectations than 100-continue are 417`() {
        #expect(RequestHeadRulesTests.status(["Host": "a", "Expect": "100-continue"]) == nil)
        #expect(RequestHeadRulesTests.status(["Host": "a", "Expect": "100-Continue, "]) == nil)
        #expect(RequestHeadRulesTests.status(["Host": "a", "Expect": "200-ok"]) == 417)
        #expect(RequestHeadRulesTests.status(["Host": "a", "Expect": "100-continue, more"]) == 417)
    }

    @Test func `behind the fence only loopback hosts are served, of an absolute target its own`() {
        let fence = LoopbackFence(boundHost: "127.0.0.1", isWeak: true, origins: ["https://app.example"])
        for host in ["127.0.0.1:8081", "localhost", "x.localhost.", "[::1]:8081", "app.example"] {
            #expect(RequestHeadRulesTests.status(["Host": host], fence: fence) == nil)
        }
        #expect(RequestHeadRulesTests.status(["Host": "evil.example"], fence: fence) == 421)
        #expect(RequestHeadRulesTests.status([:], version: .http1_0, fence: fence) == 421)
        let evil = "http://evil.example/healthz"
        #expect(RequestHeadRulesTests.status(["Host": "localhost"], uri: evil, fence: fence) == 421)
        let own = "http://user@localhost:8081?x=http://evil.example"
        #expect(RequestHeadRulesTests.status(["Host": "evil.example"], uri: own, fence: fence) == nil)
        let real = LoopbackFence(boundHost: "127.0.0.1", isWeak: false, origins: [])
        #expect(RequestHeadRulesTests.status(["Host": "evil.example"], fence: real) == nil)
    }

    @Test func `a host that was served before is served again, but only alone and where the target names none`() {
        let rules = RequestHeadRules(fence: LoopbackFence(boundHost: "127.0.0.1", isWeak: true, origins: []))
        func head(_ uri: String, _ headers: HTTPHeaders) -> HTTPRequestHead {
            HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: headers)
        }
        let served = rules.servedHost(of: head("/healthz", ["Host": "localhost"]))
        #expect(served == "localhost")
        #expect(rules.refusal(of: head("/v1/nodes", ["Host": "localhost"]), servedHost: served) == nil)
        for other in [
            head("/", ["Host": "evil.example"]), head("http://evil.example/", ["Host": "localhost"]),
            head("/", ["Host": "localhost", "host": "localhost"]), head("/", [:]),
        ] {
            #expect(rules.refusal(of: other, servedHost: served) != nil)
        }
        #expect(rules.servedHost(of: head("http://localhost/", ["Host": "localhost"])) == nil)
        let coded: HTTPHeaders = ["Host": "localhost", "Transfer-Encoding": "gzip"]
        #expect(rules.refusal(of: head("/", coded), servedHost: served)?.status == .notImplemented)
    }

    @Test(arguments: [
        ("/healthz", true), ("/readyz?x", true), ("/metrics", true), ("http://a/healthz", true), ("/", false),
        ("/v1/nodes", false), ("/healthz/", false), ("http://a", false), ("*", false),
    ])
    func `probes are told by their path`(_ uri: String, _ isProbe: Bool) {
        #expect(HTTPRequestHead(version: .http1_1, method: .GET, uri: uri).isProbe == isProbe)
    }

    @Test func `dates are those of HTTP`() {
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(1_709_164_800) == "Thu, 29 Feb 2024 00:00:00 GMT")
    }
}
