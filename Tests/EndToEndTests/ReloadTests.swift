import Foundation
import TestKit
import TestSupport
import Testing

/// A node whose configuration lies in a file that a test writes anew.
private final class Written: Sendable {
    let folder: URL
    let path: String

    init(_ text: String) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("reload-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        path = folder.appendingPathComponent("martlet.yaml").path
        try write(text)
    }

    deinit {
        // What cannot be removed lies in the folder for such things.
        try? FileManager.default.removeItem(at: folder)
    }

    func write(_ text: String, to name: String = "martlet.yaml") throws {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }
}

@Suite("Settings that are taken while a node runs")
struct ReloadTests {
    private static func statuses(_ node: NodeProcess, _ keys: [String]) async throws -> [Int] {
        var statuses: [Int] = []
        for key in keys {
            let headers = [("Authorization", "Bearer \(key)")]
            statuses.append(try await HTTPAnswer.fetch(port: node.apiPort, path: "/v1/users", headers: headers).status)
        }
        return statuses
    }

    @Test func `rules and limits hold for sessions that live, and what is broken changes nothing`() async throws {
        let file = try Written(
            """
            client: {maxRooms: 2}
            rooms: [{pattern: news, allow: [join]}]
            """)
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil, configuration: file.path)
        let alice = try await WireClient.connect(to: node, as: "alice")
        func join(_ room: String) async throws -> String? { try await alice.join(room).string("code") }
        @Sendable func publish() async throws -> String? {
            try await alice.ask(#""type":"message","roomId":"news","payload":1"#).string("code")
        }
        #expect(try await join("news") == nil)
        #expect(try await join("r2") == nil)
        #expect(try await join("r3") == "forbidden")
        #expect(try await publish() == "forbidden")

        try file.write("client: {maxRooms: 3}\nrooms: [{pattern: news, allow: [join, publsh]}]\n")
        kill(node.pid, SIGHUP)
        try await node.logged("nothing reloaded; the settings of before hold")
        try await node.logged("did you mean publish?")
        // Caught while it is written.
        try file.write("")
        kill(node.pid, SIGHUP)
        try await node.logged("the file sets nothing")
        #expect(try await publish() == "forbidden")
        #expect(try await join("r3") == "forbidden")

        try file.write(
            """
            client: {maxRooms: 3, maxQueuedBytes: 2MiB}
            rooms: [{pattern: news, allow: [join, publish]}]
            """)
        kill(node.pid, SIGHUP)
        for line in [
            "key=client.maxRooms [GatewayNode] setting taken",
            "key=client.maxQueuedBytes [GatewayNode] setting needs a restart",
        ] {
            try await node.logged(line)
        }
        try await eventually("the new rules") { try await publish() == nil }
        #expect(try await join("r3") == nil)
        #expect(try await join("r4") == "forbidden")
        let bob = try await WireClient.connect(to: node, as: "bob")
        #expect(try await bob.join("news").string("code") == nil)
        #expect(alice.isOpen)
    }

    @Test func `a secret of tokens and keys of backends are changed under their users`() async throws {
        let (old, new) = ("the-old-secret-of-32-bytes-or-more", "the-new-secret-of-32-bytes-or-more")
        let file = try Written("")
        func write(_ secrets: String, _ key: String, _ named: String) throws {
            try file.write("- {name: backend, key: \(named), scopes: [read]}", to: "keys.yaml")
            try file.write(
                """
                auth: {mode: jwt, secret: [\(secrets)]}
                api: {key: \(key), keysFile: \(file.folder.path)/keys.yaml}
                """)
        }
        try write(old, "the-old-whole-key", "the-old-named-key")
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: nil, environment: ["MARTLET_API_KEY": "", "MARTLET_AUTH_MODE": ""],
            configuration: file.path)
        @Sendable func token(_ secret: String) throws -> String {
            let end = Int(Date().timeIntervalSince1970) + 600
            return try TokenSigner.secret(secret.utf8).token(#"{"sub":"u","exp":\#(end)}"#, by: "HS256")
        }
        @Sendable func isTaken(_ secret: String) async throws -> Bool {
            let client = try await WireClient.open(
                to: node.clientPort, as: "", query: "&token=\(try token(secret))")
            try await eventually("an answer") { !client.frames("welcome").isEmpty || !client.isOpen }
            return client.isOpen
        }
        let keys = ["the-old-whole-key", "the-old-named-key", "the-new-whole-key", "the-new-named-key"]
        #expect(try await Self.statuses(node, keys) == [200, 200, 401, 401])
        #expect(try await isTaken(old))
        #expect(try await !isTaken(new))

        try write("\(new), \(old)", "the-new-whole-key", "the-new-named-key")
        kill(node.pid, SIGHUP)
        try await eventually("the new keys") { try await Self.statuses(node, keys) == [401, 401, 200, 200] }
        #expect(try await isTaken(old))
        #expect(try await isTaken(new))

        try write(new, "the-new-whole-key", "the-new-named-key")
        kill(node.pid, SIGHUP)
        try await eventually("the end of the old secret") { try await !isTaken(old) }
        #expect(try await isTaken(new))
        #expect(!node.log.contains("-secret-of-32") && !node.log.contains("-whole-key"))
    }
}
