import GatewayCore
import NIOCore
import SocketServer
import Testing

/// A port of this machine alone, against pages that come by another name.
@Suite
struct FenceTests {
    private func embedded(metrics: CountingMetrics = CountingMetrics()) -> EmbeddedHub {
        EmbeddedHub(metrics: metrics) {
            $0.fence = LoopbackFence(boundHost: "127.0.0.1", isWeak: true, origins: [])
            $0.origins = OriginRule([], letsLoopbackIn: true)
        }
    }

    private func status(_ lines: String...) throws -> String {
        let socket = try embedded().accept()
        try socket.send(ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n"))
        return String(socket.takeHead()?.dropFirst("HTTP/1.1 ".count).prefix(3) ?? "")
    }

    @Test(arguments: ["/ws", "/healthz", "/martlet.js", "/echo", "/none", "/"])
    func `no path is answered for another host`(path: String) throws {
        #expect(try status("GET \(path) HTTP/1.1", "Host: evil.example:8080") == "421")
        #expect(try status("POST \(path) HTTP/1.1", "Host: evil.example:8080") == "421")
        #expect(try status("GET http://evil.example\(path) HTTP/1.1", "Host: localhost") == "421")
        #expect(try status("GET \(path) HTTP/1.0") == "421")
    }

    @Test func `this machine's names are served, and of an absolute form its host counts`() throws {
        #expect(try status("GET /healthz HTTP/1.1", "Host: localhost:8080") == "200")
        #expect(try status("GET /healthz HTTP/1.1", "Host: [::1]:8080") == "200")
        #expect(try status("GET /healthz HTTP/1.1", "Host: app.localhost.") == "200")
        #expect(try status("GET http://127.0.0.1:8080/healthz HTTP/1.1", "Host: evil.example") == "200")
    }

    @Test func `an expectation that cannot be met, a fragment and a host with an empty label are refused`() throws {
        #expect(try status("GET /healthz HTTP/1.1", "Host: localhost", "Expect: 100-continue") == "200")
        #expect(try status("GET /healthz HTTP/1.1", "Host: localhost", "Expect: tea") == "417")
        #expect(try status("GET /healthz#x HTTP/1.1", "Host: localhost") == "400")
        #expect(try status("GET /healthz HTTP/1.1", "Host: .localhost") == "400")
        #expect(try status("GET /healthz HTTP/1.1", "Host: a..localhost") == "400")
    }

    @Test func `a page of this machine may connect from any port, another site's may not, and no browser need be one`()
        throws
    {
        let metrics = CountingMetrics()
        let embedded = embedded(metrics: metrics)
        for (origin, status) in [
            ("http://localhost:3000", 101), ("http://127.0.0.1:8081", 101), ("https://[::1]", 101),
            ("https://evil.example", 403), ("null", 403),
        ] {
            let answer = try embedded.ask("/ws?userId=a", headers: [("Origin", origin)]).head
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
        }
        _ = try embedded.enter()
        let rebound = try embedded.accept()
        try rebound.send(
            ByteBuffer(string: TestClient.request("/ws?userId=a").replacing("localhost", with: "evil.example")))
        #expect(rebound.takeHead()?.hasPrefix("HTTP/1.1 421 ") == true)
        #expect(metrics["martlet_handshakes_refused_total{reason=misdirected}"] == 1)
    }
}
