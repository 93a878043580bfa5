import SocketServer
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ClientFileTests {
    private static func answer(
        _ method: String, _ path: String, headers: String = ""
    ) async throws -> (head: String, body: String) {
        let (head, body) = try await bytes(method, path, headers: headers)
        return (head, String(decoding: body, as: UTF8.self))
    }

    private static func bytes(
        _ method: String, _ path: String, headers: String
    ) async throws -> (head: String, body: [UInt8]) {
        try await TestServer.run({ $0.version = "1.2.3" }) { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: "\(method) \(path) HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
            let head = try await client.head()
            return (head, await client.restOfBytes())
        }
    }

    private static func value(of name: String, in head: String) -> String? {
        head.split(separator: "\r\n").first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
    }

    @Test(
        arguments: [
            ("/martlet.js", "text/javascript; charset=utf-8", "export class Martlet"),
            ("/martlet.js?v=2", "text/javascript; charset=utf-8", "export class Martlet"),
            ("/martlet.d.ts", "text/plain; charset=utf-8", "export class Martlet"),
            ("/martlet.min.js", "text/javascript; charset=utf-8", "globalThis.Martlet="),
            ("/martlet-1.2.3.min.js", "text/javascript; charset=utf-8", "//# sourceMappingURL=martlet.min.js.map"),
            ("/martlet.min.js.map", "application/json; charset=utf-8", #""sources":["martlet.js","script.js"]"#),
        ])
    func `the client library is served to pages of any origin`(path: String, type: String, part: String) async throws {
        let (head, body) = try await Self.answer("GET", path)
        #expect(head.hasPrefix("HTTP/1.1 200 "))
        #expect(Self.value(of: "Content-Type", in: head) == type)
        #expect(Self.value(of: "Access-Control-Allow-Origin", in: head) == "*")
        #expect(Self.value(of: "Content-Length", in: head) == String(body.utf8.count))
        #expect(body.contains(part))
    }

    @Test(arguments: ["gzip", "br, GZip;q=0.5", "*", "deflate, gzip ; q=1.0"])
    func `whoever takes gzip is sent it`(offer: String) async throws {
        let plain = try await Self.answer("GET", "/martlet.min.js")
        let gzip = try await Self.bytes("GET", "/martlet.min.js", headers: "Accept-Encoding: \(offer)\r\n")
        #expect(Self.value(of: "Content-Encoding", in: gzip.head) == "gzip")
        #expect(Self.value(of: "Content-Length", in: gzip.head) == String(gzip.body.count))
        #expect(gzip.body.count <= 9_100)
        #expect(Gunzip.bytes(of: gzip.body, count: plain.body.utf8.count) == Array(plain.body.utf8))
        for head in [plain.head, gzip.head] { #expect(Self.value(of: "Vary", in: head) == "Accept-Encoding") }
        // A cache that has both tells them apart, and each is known again under either encoding.
        let tag = try #require(Self.value(of: "ETag", in: gzip.head))
        #expect(tag != Self.value(of: "ETag", in: plain.head))
        let known = "Accept-Encoding: \(offer)\r\nIf-None-Match: \(tag)\r\n"
        let again = try await Self.answer("GET", "/martlet.min.js", headers: known)
        #expect(again.head.hasPrefix("HTTP/1.1 304 "))
        #expect(again.body == "")
    }

    @Test(
        arguments: [
            "", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0, *\r\n", "Accept-Encoding: gzip; q=0.0\r\n",
        ])
    func `whoever does not take gzip is not sent it`(headers: String) async throws {
        let (head, body) = try await Self.answer("GET", "/martlet.js", headers: headers)
        #expect(Self.value(of: "Content-Encoding", in: head) == nil)
        #expect(body.contains("export class Martlet"))
    }

    @Test func `the path with the node's version may lie in caches for a year, and no other is there`() async throws {
        let pinned = try await Self.answer("GET", "/martlet-1.2.3.min.js")
        #expect(Self.value(of: "Cache-Control", in: pinned.head) == "public, max-age=31536000, immutable")
        let present = try await Self.answer("GET", "/martlet.min.js")
        #expect(Self.value(of: "Cache-Control", in: present.head) == "public, max-age=300")
        #expect(pinned.body == present.body)
        let other = try await Self.answer("GET", "/martlet-1.2.4.min.js")
        #expect(other.head.hasPrefix("HTTP/1.1 404 "))
    }

    @Test func `a page of another origin may read that its path is wrong`() async throws {
        let (head, _) = try await Self.answer("GET", "/wss", headers: "Origin: https://app.example\r\n")
        #expect(head.hasPrefix("HTTP/1.1 404 "))
        #expect(Self.value(of: "Access-Control-Allow-Origin", in: head) == "*")
    }

    @Test func `HEAD is answered as GET is, without the bytes`() async throws {
        let get = try await Self.answer("GET", "/martlet.js")
        let head = try await Self.answer("HEAD", "/martlet.js")
        #expect(head.head == get.head)
        #expect(head.body == "")
    }

    @Test func `whoever has the present bytes is not sent them again`() async throws {
        let first = try await Self.answer("GET", "/martlet.js")
        let tag = try #require(Self.value(of: "ETag", in: first.head))
        for known in [tag, "W/" + tag, #""other", "# + tag] {
            let again = try await Self.answer("GET", "/martlet.js", headers: "If-None-Match: \(known)\r\n")
            #expect(again.head.hasPrefix("HTTP/1.1 304 "))
            #expect(Self.value(of: "ETag", in: again.head) == tag)
            #expect(again.body == "")
        }
        let other = try await Self.answer("GET", "/martlet.js", headers: "If-None-Match: \"other\"\r\n")
        #expect(other.head.hasPrefix("HTTP/1.1 200 "))
        let types = try await Self.answer("GET", "/martlet.d.ts")
        #expect(Self.value(of: "ETag", in: types.head) != tag)
    }

    @Test func `nothing is posted to the client library`() async throws {
        let post = try await Self.answer("POST", "/martlet.js")
        #expect(post.head.hasPrefix("HTTP/1.1 405 "))
        #expect(Self.value(of: "Allow", in: post.head) == "GET, HEAD")
        let upload = try await Self.answer("GET", "/martlet.js", headers: "Content-Length: 1\r\n")
        #expect(upload.head.hasPrefix("HTTP/1.1 400 "))
    }
}
