import SocketServer
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ClientFileTests {
    private static func answer(
        _ method: String, _ path: String, headers: String = ""
    ) async throws -> (head: String, body: String) {
        try await TestServer.run { server in
            let client = try await TestClient.connect(port: server.port)
            try await client.send(raw: "\(method) \(path) HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
            let head = try await client.head()
            return (head, await client.rest())
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
        ])
    func `the client library is served to pages of any origin`(path: String, type: String, part: String) async throws {
        let (head, body) = try await Self.answer("GET", path)
        #expect(head.hasPrefix("HTTP/1.1 200 "))
        #expect(Self.value(of: "Content-Type", in: head) == type)
        #expect(Self.value(of: "Access-Control-Allow-Origin", in: head) == "*")
        #expect(Self.value(of: "Content-Length", in: head) == String(body.utf8.count))
        #expect(body.contains(part))
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
