import ControlAPI
import Dialects
import GatewayCore
import NIOHTTP1
import TestKit
import Testing

extension Api {
    static let backend = PusherBackend(id: "3", key: "278d425bdf160c739803", secret: "7ad3773142a6692b25b8")
    static let other = PusherBackend(id: "4", key: "other-key", secret: "other-secret")
    /// The first of them has two secrets, as while one takes the other's place.
    static let apps = PusherApps([
        PusherApp(id: backend.id, key: backend.key, secrets: ["before", backend.secret]),
        PusherApp(id: other.id, key: other.key, secrets: [other.secret]),
    ])

    /// A call that the backend has signed; no other key comes with it.
    func call(
        _ method: HTTPMethod, _ call: String, _ query: [String: String] = [:], _ body: String? = nil,
        by backend: PusherBackend = Api.backend, headers: [(String, String)] = []
    ) async throws -> Answer {
        let target = backend.target(method.rawValue, call, query, body: body)
        return try await send(method, target, body, key: nil, headers: headers)
    }
}

@Suite struct PusherSigningTests {
    private static let body = #"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#

    @Test func `the documented request is taken as its signature says, by either secret`() async throws {
        try await Api.serve(apps: Api.apps, wall: 1_353_088_179_000) { api async throws in
            let target = """
                /apps/3/events?auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0\
                &body_md5=ec365a775a4cd0599faeb73354201b6f\
                &auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c
                """
            let answer = try await api.send(.POST, target, PusherSigningTests.body, key: nil)
            #expect(answer.status == 200 && answer.text == "{}")
            #expect(answer.headers.first(name: "content-type") == "application/json")
            #expect(api.log.payloads(of: "project-3") == [#""{\"some\":\"data\"}""#])
            var backend = Api.backend
            backend.secret = "before"
            let again = backend.target("POST", "/events", body: PusherSigningTests.body, at: 1_353_088_179)
            #expect(try await api.send(.POST, again, PusherSigningTests.body, key: nil).status == 200)
        }
    }

    @Test func `a signature off by one byte, another app's key, a changed body and their like are 401, in plain text`()
        async throws
    {
        try await Api.serve(apps: Api.apps) { api async throws in
            let body = PusherSigningTests.body
            let good = Api.backend.target("POST", "/events", body: body)
            let last = good.last == "0" ? "1" : "0"
            var stolen = Api.other
            stolen.id = Api.backend.id
            var forged = Api.backend
            forged.secret = Api.other.secret
            let other = PusherBackend.md5(body + " ")
            let cases: [(name: String, target: String, body: String?, says: String)] = [
                ("one byte", String(good.dropLast()) + last, body, "auth_signature: not"),
                ("one less", String(good.dropLast()), body, "auth_signature: not"),
                ("other key", stolen.target("POST", "/events", body: body), body, "auth_key: not the key of this app"),
                ("other secret", forged.target("POST", "/events", body: body), body, "auth_signature: not"),
                ("changed body", good, body.replacing("some", with: "same"), "body_md5: not the one"),
                (
                    "other md5", Api.backend.target("POST", "/events", body: body, digest: other), body,
                    "body_md5: not the one"
                ),
                ("no md5", Api.backend.target("POST", "/events"), body, "body_md5: missing"),
                ("other path", good.replacing("/events", with: "/batch_events"), body, "auth_signature: not"),
                ("one more parameter", good + "&info=user_count", body, "auth_signature: not"),
                ("no key", good.replacing("auth_key", with: "key"), body, "auth_key: missing"),
                ("no version", good.replacing("auth_version=1.0", with: "a=1"), body, "auth_version: missing"),
                ("version", good.replacing("auth_version=1.0", with: "auth_version=2"), body, "auth_version: only"),
                ("no time", good.replacing("auth_timestamp=", with: "auth_timestamp=x"), body, "auth_timestamp: must"),
                ("nothing", "/apps/3/events", body, "auth_key: missing"),
            ]
            for one in cases {
                let answer = try await api.send(.POST, one.target, one.body, key: nil)
                #expect(answer.status == 401 && answer.text.hasPrefix(one.says), "\(one.name): \(answer.text)")
                #expect(answer.headers.first(name: "content-type") == "text/plain; charset=utf-8")
            }
            let twice = try await api.send(.POST, good + "&auth_key=x", body, key: nil)
            #expect(twice.status == 400 && twice.text == "auth_key: given twice\n")
            // The method is signed as well, and no key of the rest opens this.
            let get = Api.backend.target("POST", "/channels")
            #expect(try await api.send(.GET, get, key: nil).status == 401)
            #expect(try await api.send(.POST, "/apps/3/events", body).status == 401)
            #expect(api.log.submitted.isEmpty)
        }
    }

    @Test func `a query of more parameters than any call has is refused before anything is made of it`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let query = Dictionary(uniqueKeysWithValues: (0..<40).map { ("p\($0)", "1") })
            let answer = try await api.call(.GET, "/channels", query)
            #expect(answer.status == 401 && answer.text.contains("parameters"))
        }
    }

    @Test func `a request is as old, or as new, as ten minutes at most`() async throws {
        try await Api.serve(apps: Api.apps, wall: 1_700_000_000_999) { api async throws in
            for (seconds, status) in [(-600, 200), (600, 200), (-601, 401), (601, 401)] {
                let target = Api.backend.target("GET", "/channels", at: 1_700_000_000 + Int64(seconds))
                #expect(try await api.send(.GET, target, key: nil).status == status, "\(seconds)")
            }
            for seconds: Int64 in [-1, .max, .min] {
                let target = Api.backend.target("GET", "/channels", at: seconds)
                #expect(try await api.send(.GET, target, key: nil).status == 401, "\(seconds)")
            }
        }
    }

    @Test(arguments: PusherBackend.Spelling.allCases)
    func `names with all their characters are taken however a library spells what it signed`(
        _ spelling: PusherBackend.Spelling
    ) async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            var backend = Api.backend
            backend.spelling = spelling
            let name = "presence-a,b;c@d=e." + String(repeating: "x", count: 181)
            #expect(name.utf8.count == 200)
            api.presence.state.withLock {
                $0.rooms = [RoomRecord(room: RoomName(unchecked: name), members: 2, connections: 3, head: nil)]
            }
            let one = try await api.call(
                .GET, "/channels/\(name)", ["info": "user_count,subscription_count"], by: backend)
            #expect(one.text == #"{"occupied":true,"user_count":2,"subscription_count":3}"#)
            let list = try await api.call(
                .GET, "/channels", ["filter_by_prefix": "presence-a,b;c@d=", "info": "user_count"], by: backend)
            #expect(list.text == #"{"channels":{"\#(name)":{"user_count":2}}}"#)
            #expect(try await api.call(.GET, "/channels/\(name)x", by: backend).status == 400)
            #expect(try await api.call(.GET, "/channels/\(name)/users", by: backend).status == 200)
        }
    }

    @Test func `a library that signs the digest of no body on GET is taken too`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let target = Api.backend.target("GET", "/channels", digest: PusherBackend.md5(""))
            #expect(try await api.send(.GET, target, key: nil).text == #"{"channels":{}}"#)
        }
    }

    @Test func `where there are no apps there is nothing, as under the id of none`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.call(.POST, "/events", [:], PusherSigningTests.body)
            #expect(answer.status == 404 && answer.text.hasPrefix(#"{"error":{"code":"not_found""#))
            let whole = Api.backend.target("POST", "/users/u/terminate_connections", body: "{}", isWhole: true)
            #expect(try await api.send(.POST, whole, "{}", key: nil).status == 404)
        }
        try await Api.serve(apps: Api.apps) { api async throws in
            var unknown = Api.backend
            unknown.id = "5"
            let answer = try await api.call(.POST, "/events", [:], PusherSigningTests.body, by: unknown)
            #expect(answer.status == 404 && answer.text == "there is no app of this id\n")
            for path in ["/apps", "/apps/3", "/apps/3/nothing", "/apps//events", "/users/u", "/apps/3/channels/a/b"] {
                #expect(try await api.send(.GET, path, key: nil).status == 404, "\(path)")
            }
            let wrong = try await api.call(.GET, "/events")
            #expect(wrong.status == 405 && wrong.headers.first(name: "allow") == "POST")
            #expect(try await api.call(.POST, "/channels", [:], "{}").status == 405)
        }
    }

    @Test func `a body is not asked for before its signature is found to be good`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let head = { (target: String, length: Int) in
                """
                POST \(target) HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
                Content-Length: \(length)\r\n\r\n
                """
            }
            let bad = try await api.exchange(head("/apps/3/events?auth_key=x", 2))
            #expect(bad.hasPrefix("HTTP/1.1 401 ") && bad.contains("onnection: close"))
            let large = Api.backend.target("POST", "/events", digest: PusherBackend.md5("x"))
            #expect(try await api.exchange(head(large, 2 << 20)).hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test func `calls are audited under their app, and counted without the names in their paths`() async throws {
        try await Api.serve(apps: Api.apps) { api async throws in
            let target = Api.backend.target("POST", "/users/alice/terminate_connections", body: "{}")
            #expect(try await api.send(.POST, target, "{}", key: nil).text == "{}")
            let route = "/apps/{appId}/users/{userId}/terminate_connections"
            let audit = api.lines.text.split(separator: "\n").first { $0.contains(" audit ") } ?? ""
            for part in ["POST \(route)", "pusher app 3", "alice", "200"] { #expect(audit.contains(part), "\(part)") }
            #expect(!api.lines.text.contains(Api.backend.secret))
            let count = #"martlet_api_requests_total{method="POST",route="\#(route)",status="200"} 1"#
            #expect(api.metrics.text().contains(count))
        }
    }
}
