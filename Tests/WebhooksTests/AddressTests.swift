import GatewayCore
import Testing
import Webhooks

@Suite("Where a receiver is")
struct AddressTests {
    @Test(
        arguments: [
            ("127.0.0.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("0x7f000001", "127.0.0.1"),
            ("017700000001", "127.0.0.1"), ("2130706433", "127.0.0.1"), ("127.1", "127.0.0.1"), ("0", "0.0.0.0"),
            ("0xA.0x0.0x0.0x1", "10.0.0.1"), ("010.8.8.8", "8.8.8.8"), ("::1", "::1"), ("::ffff:a00:1", "10.0.0.1"),
        ])
    func `a host of numbers is the address that the system reads in it`(host: String, address: String) {
        #expect(AddressGuard.literal(host)?.description == address)
    }

    @Test(arguments: ["a.example", "localhost", "1.2.3.4.5", "0x7g.1", "256.1.1.1", "1.2.3.4 x", ""])
    func `a name is no address`(host: String) {
        #expect(AddressGuard.literal(host) == nil)
    }

    @Test func `a URL is read as the HTTP client reads it, or is none`() {
        #expect(WebhookURL("http://a.example\\@127.0.0.1/")?.host == "127.0.0.1")
        #expect(WebhookURL("http://%6cocalhost/") == nil)
        #expect(WebhookURL("http://a@b@c/")?.host == "c")
        #expect(WebhookURL("http://0x7f.1/")?.host == "0x7f.1")
        #expect(WebhookURL("http://[2606:4700::1]:8080/x")?.host == "2606:4700::1")
        #expect(WebhookURL("https://us%40er:p:w@hooks.example/a")?.host == "hooks.example")
    }

    @Test
    func `an address that answers is kept, one that does not gives way to the next, and a name is asked again in time`()
        throws
    {
        func at(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }
        let (a, b, c) = (
            try #require(IPAddress("192.0.2.1")), try #require(IPAddress("192.0.2.2")),
            try #require(IPAddress("192.0.2.3"))
        )
        var route = ReceiverRoute()
        #expect(route.mustLookUp(now: at(0)) && route.address == nil)
        route.found([a, b], now: at(0))
        #expect(!route.mustLookUp(now: at(59)) && route.address == a)
        route.failed(b)
        #expect(route.address == a, "another request's failure is no news of this one")
        route.failed(a)
        #expect(!route.mustLookUp(now: at(59)) && route.address == b)
        #expect(route.mustLookUp(now: at(60)))
        route.found([a, b], now: at(60))
        #expect(route.address == b, "it answers")
        route.foundNothing(now: at(120))
        #expect(!route.mustLookUp(now: at(179)) && route.address == b)
        route.found([c], now: at(180))
        #expect(route.address == c, "the receiver has moved")
        route.failed(c)
        #expect(route.mustLookUp(now: at(180)))
        #expect(route.address == c, "there is no other")
        route.found([a, c], now: at(181))
        route.failed(c)
        #expect(route.address == a)
    }
}
