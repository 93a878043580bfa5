import ControlAPI
import GatewayCore
import Testing

@Suite struct PageRouteTests {
    @Test func `health follows the loops and readiness the node`() async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.GET, "/healthz", key: nil).text == #"{"status":"ok"}"#)
            #expect(try await api.send(.GET, "/readyz", key: nil).text == #"{"status":"ready"}"#)
            api.switches.readiness.withLock { $0 = .restricted(reason: "no room for \"messages\"") }
            let restricted = try await api.send(.GET, "/readyz", key: nil)
            #expect(restricted.status == 200)
            #expect(restricted.text == #"{"status":"ready","reason":"no room for \"messages\""}"#)
            api.switches.readiness.withLock { $0 = .notReady(reason: "draining") }
            let unready = try await api.send(.GET, "/readyz", key: nil)
            #expect(unready.status == 503)
            #expect(unready.text == #"{"error":{"code":"unavailable","message":"draining"}}"#)
            #expect(try await api.send(.GET, "/healthz", key: nil).status == 200)
            api.switches.isAlive.withLock { $0 = false }
            #expect(try await api.send(.GET, "/healthz", key: nil).status == 503)
        }
    }

    @Test func `what the document of the API refers to is in it`() async throws {
        try await Api.serve { api async throws in
            let lines = try await api.send(.GET, "/openapi.yaml", key: nil).text.split(separator: "\n")
            var (defined, section): (Set<String>, Substring) = ([], "")
            let components = try #require(lines.firstIndex(of: "components:"))
            for line in lines[(components + 1)...].prefix(while: { $0.hasPrefix("  ") }) {
                let name = line.drop { $0 == " " }.prefix { $0 != ":" }
                switch line.prefix(while: { $0 == " " }).count {
                case 2: section = name
                case 4: defined.insert("#/components/\(section)/\(name)")
                default: break
                }
            }
            let referred = lines.compactMap { $0.firstMatch(of: /\$ref: "([^"]+)"/).map { String($0.output.1) } }
            #expect(referred.count > 100 && Set(referred).subtracting(defined) == [])
        }
    }

    @Test func `HEAD is GET without the body`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.HEAD, "/healthz", key: nil)
            #expect(answer.status == 200 && answer.bytes.isEmpty)
            #expect(answer.headers["Content-Length"] == ["15"])
        }
    }

    @Test(arguments: [
        ("/console", "text/html; charset=utf-8", "<title>Martlet console</title>"),
        ("/console/", "text/html; charset=utf-8", "/console/console.js"),
        ("/console/address.js", "text/javascript; charset=utf-8", "export async function fillAddress("),
        ("/console/call", "text/html; charset=utf-8", "<title>Martlet call</title>"),
        ("/console/call.js", "text/javascript; charset=utf-8", #"from "./peer.js""#),
        ("/console/call.css", "text/css; charset=utf-8", ".tiles"),
        ("/console/peer.js", "text/javascript; charset=utf-8", "export class Peer"),
        ("/console/picture.js", "text/javascript; charset=utf-8", "export async function picture("),
        ("/console/composer.js", "text/javascript; charset=utf-8", "export function startComposer("),
        ("/console/console.js", "text/javascript; charset=utf-8", #"from "./connection.js""#),
        ("/console/connection.js", "text/javascript; charset=utf-8", #"from "./martlet.js""#),
        ("/console/governed.js", "text/javascript; charset=utf-8", "If-Match"),
        ("/console/history.js", "text/javascript; charset=utf-8", "/messages?limit="),
        ("/console/log.js", "text/javascript; charset=utf-8", "export function note("),
        ("/console/martlet.js", "text/javascript; charset=utf-8", "export class Martlet"),
        ("/console/members.js", "text/javascript; charset=utf-8", "export function wordsOf("),
        ("/console/messages.js", "text/javascript; charset=utf-8", "export function messageLine("),
        ("/console/nodes.js", "text/javascript; charset=utf-8", "/v1/nodes?limit="),
        ("/console/parts.js", "text/javascript; charset=utf-8", "export function element("),
        ("/console/payload.js", "text/javascript; charset=utf-8", "export class PayloadField"),
        ("/console/rest.js", "text/javascript; charset=utf-8", "Authorization"),
        ("/console/spenders.js", "text/javascript; charset=utf-8", "/v1/top?by="),
        ("/console/tabs.js", "text/javascript; charset=utf-8", "export function showTab("),
        ("/console/texts.js", "text/javascript; charset=utf-8", "export function textsOf("),
        ("/console/users.js", "text/javascript; charset=utf-8", "/v1/users?limit="),
        ("/console/watch.js", "text/javascript; charset=utf-8", "export function startWatch("),
        ("/console/console.css", "text/css; charset=utf-8", "prefers-color-scheme: dark"),
    ])
    func `the console is served without a key and under a strict policy`(
        _ path: String, _ type: String, _ content: String
    ) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.GET, path, key: nil)
            #expect(answer.status == 200)
            #expect(answer.headers["Content-Type"] == [type])
            #expect(answer.headers["X-Content-Type-Options"] == ["nosniff"])
            let policy = try #require(answer.headers["Content-Security-Policy"].first)
            #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; ") && !policy.contains("unsafe"))
            #expect(answer.headers["Referrer-Policy"] == ["no-referrer"])
            #expect(answer.headers["Cross-Origin-Opener-Policy"] == ["same-origin"])
            #expect(answer.headers["Cross-Origin-Resource-Policy"] == ["same-origin"])
            #expect(!answer.text.contains(/<script(?![^>]* src=)|<style| style=| on[a-z]+=/))
            #expect(answer.text.contains(content))
            for danger in ["innerHTML", "insertAdjacentHTML", "eval(", "https://", "localStorage"] {
                #expect(!answer.text.contains(danger))
            }
        }
    }

    @Test func `the console is told the ports and nothing else`() async throws {
        try await Api.serve { api async throws in
            #expect(
                try await api.send(.GET, "/console/config.json", key: nil).text == #"{"clientPort":4711,"apiPort":0}"#)
        }
    }

    @Test func `the description names every path of the api port`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.GET, "/openapi.yaml", key: nil)
            #expect(answer.status == 200 && answer.text.hasPrefix("openapi: 3.1.0\n"))
            for path in [
                "/v1/broadcast", "/v1/broadcast/batch", "/v1/users", "/v1/users/{userId}", "/v1/users/query",
                "/v1/users/{userId}/disconnect", "/v1/rooms", "/v1/rooms/{roomId}", "/v1/rooms/{roomId}/members",
                "/v1/rooms/{roomId}/messages", "/v1/nodes", "/v1/stats", "/v1/top", "/v1/addresses/bans", "/healthz",
                "/readyz", "/metrics",
            ] { #expect(answer.text.contains("\n  \(path):\n")) }
        }
    }

    @Test func `whatever takes a body is described with what is answered where that cannot be taken`() async throws {
        try await Api.serve { api async throws in
            let text = try await api.send(.GET, "/openapi.yaml", key: nil).text
            let operations = text.split(separator: "      operationId: ").dropFirst()
            let anchor = #/ responses: [&*](\w+)/#
            let shared = operations.filter { $0.contains(" responses: &") }
            for operation in operations where operation.contains("      requestBody:") {
                guard let name = operation.split(separator: "\n").first else { continue }
                // Those of Pusher's HTTP API have words of their own.
                if name.contains("Pusher") { continue }
                let alias = operation.firstMatch(of: anchor)?.1
                let described = shared.first { $0.firstMatch(of: anchor)?.1 == alias } ?? operation
                #expect(described.contains("\"413\":") && described.contains("\"415\":"), "\(name)")
            }
        }
    }

    @Test func `the description bounds what a broadcast says it is as the api does`() async throws {
        try await Api.serve { api async throws in
            let text = try await api.send(.GET, "/openapi.yaml", key: nil).text
            let type = try #require(
                text.split(separator: "    Broadcast:\n").last?.split(separator: " msgType:\n").last)
            #expect(type.prefix(120).contains("minimum: 0\n") && type.prefix(120).contains("maximum: 2147483647\n"))
            for (number, status) in [(-1, 400), (0, 200), (2_147_483_647, 200), (2_147_483_648, 400)] {
                let body = #"{"to":{"rooms":["r"]},"payload":1,"msgType":\#(number)}"#
                #expect(try await api.send(.POST, "/v1/broadcast", body).status == status, "\(number)")
            }
        }
    }

    @Test func `metrics count the requests by route and status`() async throws {
        try await Api.serve { api async throws in
            for room in ["a", "b"] { _ = try await api.send(.GET, "/v1/rooms/\(room)/messages") }
            _ = try await api.send(.GET, "/secret-path")
            let answer = try await api.send(.GET, "/metrics", key: nil)
            #expect(answer.headers["Content-Type"] == ["text/plain; version=0.0.4; charset=utf-8"])
            let route = "/v1/rooms/{roomId}/messages"
            #expect(answer.text.contains(#"martlet_api_requests_total{method="GET",route="\#(route)",status="404"} 2"#))
            #expect(answer.text.contains(#"martlet_api_requests_total{method="other",route="other",status="404"} 1"#))
            #expect(answer.text.contains(#"martlet_api_request_duration_seconds_count{route="\#(route)"} 2"#))
            #expect(!answer.text.contains("secret-path"))
            #expect(answer.text.contains(#/\nprocess_resident_memory_bytes [1-9]\d{6,}\n/#))
            #expect(answer.text.contains(#/\nprocess_open_fds [1-9]\d*\n/#))
        }
    }
}
