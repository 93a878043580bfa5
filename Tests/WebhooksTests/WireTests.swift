import Foundation
import GatewayCore
import TestKit
import Testing
import Webhooks

@Suite("What goes over the wire")
struct WireTests {
    @Test func `the signature is that of the contract, by openssl's reckoning`() throws {
        // printf '%s' '1700000000.{"events":[]}' | openssl dgst -sha256 -hmac 'a secret of 20 bytes'
        let body = Array(#"{"events":[]}"#.utf8)
        let signature = WebhookSignature(of: body, secrets: ["a secret of 20 bytes"], timestamp: 1_700_000_000)
        #expect(
            signature.text == "t=1700000000,v1=c4fe97f3618fb3484d460f59e6095e5c2130a6caa6cc32c6e357bd80435ef2d4")
    }

    @Test func `during a rotation both secrets open it, and nothing else does`() throws {
        let body = Array("{}".utf8)
        let text = WebhookSignature(of: body, secrets: ["old secret", "new secret"], timestamp: 5).text
        let signature = try #require(WebhookSignature(text))
        #expect(signature.isValid(for: body, secret: "old secret"))
        #expect(signature.isValid(for: body, secret: "new secret"))
        #expect(!signature.isValid(for: body, secret: "a third one"))
        #expect(!signature.isValid(for: Array("{ }".utf8), secret: "new secret"))
        let later = try #require(WebhookSignature(text.replacing("t=5", with: "t=6")))
        #expect(!later.isValid(for: body, secret: "new secret"))
    }

    @Test func `the pages' check takes what is signed with its secret and young, and nothing else`() async throws {
        let (body, now) = (#"{"events":[{"payload":"é"}]}"#, Int64(Date().timeIntervalSince1970))
        func header(_ secrets: [String], _ time: Int64) -> String {
            WebhookSignature(of: Array(body.utf8), secrets: secrets, timestamp: time).text
        }
        let good = [header(["a secret"], now), header(["another", "a secret"], now - 200)]
        let bad = [
            header(["another"], now), header(["a secret"], now - 400), header(["a secret"], now + 400),
            good[0].replacing("t=", with: "t=1"), "", "t", "t=,v1=", "v1=é,t=x", good[0].replacing("v1=", with: "v2="),
        ]
        let program =
            try Pages.code("python", with: "is_genuine")
            + "import sys\nfor header in sys.argv[2:]: print(is_genuine(b'a secret', header, sys.argv[1].encode()))\n"
        let output = await (try ScriptProcess(python: program, arguments: [body] + good + bad)).ended()
        #expect(output.split(separator: "\n") == good.map { _ in "True" } + bad.map { _ in "False" }, "\(output)")
    }

    @Test(arguments: ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=0", "t=1,v1=zz"])
    func `a signature that is none is nil`(text: String) {
        #expect(WebhookSignature(text) == nil)
    }

    @Test func `events are spelt as the contract has them, a payload as it was sent`() {
        let events = [
            LedgerEvent(
                id: "17-1-0-ab", entry: "1-0", type: "user.offline", userId: "a\"b", cause: "node_lost", timestamp: 1),
            LedgerEvent(
                id: "3-2-0-ab", entry: "2-0", type: "message.published", userId: "u", roomId: "r", timestamp: 2,
                message: LedgerEvent.Message(
                    position: Position(epoch: "e", seq: 9), msgType: 2, payload: Array("{ \"a\":1 }".utf8))),
            LedgerEvent(id: "3-lost-4-ab", entry: "", type: EventType.lost, timestamp: 3, count: 4),
        ]
        #expect(
            String(decoding: EventBody.encode(events), as: UTF8.self) == """
                {"events":[\
                {"id":"17-1-0-ab","type":"user.offline","userId":"a\\"b","cause":"node_lost","timestamp":1},\
                {"id":"3-2-0-ab","type":"message.published","userId":"u","roomId":"r",\
                "epoch":"e","seq":9,"msgType":2,"payload":{ "a":1 },"timestamp":2},\
                {"id":"3-lost-4-ab","type":"events.lost","count":4,"timestamp":3}]}
                """)
    }

    @Test(
        arguments: [
            "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0",
            "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0",
            "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
            "not an address",
        ])
    func `what is not of the public internet is private`(ip: String) {
        #expect(AddressGuard.isPrivate(ip))
    }

    @Test(arguments: ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.1.0.1", "2606:4700::1", "::ffff:8.8.8.8"])
    func `public addresses are not private`(ip: String) {
        #expect(!AddressGuard.isPrivate(ip))
    }

    @Test func `a URL is taken apart, and shown without what may be secret`() {
        let text = "https://us%40er:p:w@hooks.example:8443/a/b?token=x"
        let url = WebhookURL(text)
        #expect(url?.host == "hooks.example" && url?.port == 8443 && url?.isSecure == true)
        #expect(url?.credentials?.user == "us@er" && url?.credentials?.password == "p:w")
        #expect(WebhookReceiver(url: text, types: nil).shownURL == "https://hooks.example:8443/a/b")
        #expect(WebhookURL("http://[::1]:9000")?.host == "::1")
        #expect(WebhookURL("HTTP://a?x")?.port == 80)
        for bad in [
            "", "ftp://a", "http://", "http://:80/", "https://a:0/", "https://a b/", "http://a/#f", "http://[::1",
        ] {
            #expect(WebhookURL(bad) == nil, "\(bad)")
        }
    }

    @Test func `a receiver's name is its URL's, whatever its types`() {
        let name = WebhookReceiver(url: "https://a.example/hooks", types: nil).name
        #expect(name == WebhookReceiver(url: "https://a.example/hooks", types: ["user.online"]).name)
        #expect(name != WebhookReceiver(url: "https://a.example/hook", types: nil).name)
        #expect(name.hasPrefix("hook-") && name.utf8.count == 17)
    }
}
