import Foundation
import MartletClient
import Synchronization
import TestKit
import Testing
import TestSupport

@Suite("The command line")
struct CommandTests {
    @Test(
        arguments: [
            (["MARTLET_CLIENT_PORT": "http"], "client.port"),
            (["MARTLET_CLIENT_HOST": "0.0.0.0"], "auth.mode"),
            (["MARTLET_AUTH_MODE": "jwt"], "auth.secret"),
            (["MARTLET_API_HOST": "0.0.0.0", "MARTLET_API_KEY": "local"], "api.key"),
            (["MARTLET_API_HOST": "0.0.0.0", "MARTLET_API_KEY": "a"], "api.key"),
            (
                [
                    "MARTLET_CLIENT_HOST": "0.0.0.0", "MARTLET_AUTH_MODE": "jwt",
                    "MARTLET_AUTH_SECRET": "0123456789abcdef",
                ], "auth.secret"
            ),
            (
                ["MARTLET_WEBHOOKS_URL": "http://0x7f.1/", "MARTLET_WEBHOOKS_SECRET": "0123456789abcdef"],
                "webhooks.url"
            ),
            (["MARTLET_REDIS_URL": "redis://127.0.0.1:1"], "api.key"),
            (["MARTLET_REDIS_URL": "redis+cluster://127.0.0.1:1/3", "MARTLET_API_KEY": "k"], "redis.url"),
        ])
    func `wrong configuration is one line that names the key, and exit status 78`(
        environment: [String: String], key: String
    ) async throws {
        let (status, output) = try await NodeProcess.run(["serve"], environment: environment)
        #expect(status == 78)
        #expect(output.contains(key))
        #expect(output.split(separator: "\n").count == 1, "\(output)")
    }

    @Test(
        arguments: [
            (
                ["MARTLET_CLIENT_HOST": "192.0.2.1", "MARTLET_AUTH_MODE": "none"],
                "client.host: 192.0.2.1 is no address"
            ),
            (
                ["MARTLET_CLIENT_HOST": "no-such.invalid", "MARTLET_AUTH_MODE": "none"],
                "client.host: \"no-such.invalid\""
            ),
            (["MARTLET_API_HOST": "192.0.2.1"], "api.host: 192.0.2.1 is no address"),
            (["MARTLET_API_HOST": "no-such.invalid"], "api.host: \"no-such.invalid\""),
        ])
    func `a host that cannot be had ends the start by its key, status 78, before Redis is looked for`(
        environment: [String: String], line: String
    ) async throws {
        let common = [
            "MARTLET_REDIS_URL": "redis://127.0.0.1:1", "MARTLET_API_KEY": "key-0123456789abcdef0123",
            "MARTLET_CLIENT_PORT": "0", "MARTLET_API_PORT": "0", "MARTLET_LOG_FORMAT": "text",
        ]
        let (status, output) = try await NodeProcess.run(["serve"], environment: common.merging(environment) { $1 })
        #expect(status == 78, "\(output)")
        #expect(output.split(separator: "\n").last?.contains(line) == true, "\(output)")
        #expect(!output.contains(" error ") && !output.contains("errno"), "\(output)")
    }

    @Test func `a port that is taken ends the start with its address, status 69, and no line of a library`()
        async throws
    {
        let other = try await HookServer.start()
        for (key, free) in [("CLIENT", "API"), ("API", "CLIENT")] {
            let (status, output) = try await NodeProcess.run(
                ["serve"],
                environment: [
                    "MARTLET_REDIS_URL": "redis://127.0.0.1:1", "MARTLET_API_KEY": NodeProcess.apiKey,
                    "MARTLET_\(key)_PORT": "\(other.port)", "MARTLET_\(free)_PORT": "0",
                ])
            #expect(status == 69, "\(output)")
            let last = output.split(separator: "\n").last ?? ""
            #expect(last.contains("127.0.0.1:\(other.port) (MARTLET_\(key)_PORT"), "\(output)")
            #expect(!output.contains(" error "), "\(output)")
        }
        withExtendedLifetime(other) {}
    }

    @Test(arguments: ["trace", "debug", "info"])
    func `no key and no secret reaches the log at any level`(level: String) async throws {
        var options = RedisServerProcess.Options()
        options.password = "hidden-redis-password"
        let redis = try RedisServerProcess(options)
        let secrets = [
            "hidden-api-key", "hidden-token-secret-0123456789abcdef", "hidden-webhooks-secret-0123456789abcdef",
        ]
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: redis.url,
            environment: [
                "MARTLET_LOG_LEVEL": level, "MARTLET_API_KEY": secrets[0], "MARTLET_AUTH_MODE": "jwt",
                "MARTLET_AUTH_SECRET": secrets[1], "MARTLET_WEBHOOKS_URL": "http://127.0.0.1:9/hook",
                "MARTLET_WEBHOOKS_SECRET": secrets[2], "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true",
            ])
        try await node.logged("The node is registered")
        node.terminate()
        #expect(await node.exitStatus() == 0)
        for secret in secrets + ["hidden-redis-password"] { #expect(!node.log.contains(secret)) }
        withExtendedLifetime(redis) {}
    }

    @Test func `neither password of a Sentinel URL reaches the log, and such a node ends in order`() async throws {
        var options = SentinelGroup.Options()
        (options.password, options.sentinelPassword) = ("hidden-redis", "hidden-sentinel")
        var server = RedisServerProcess.Options()
        (server.listensOnTCP, server.password) = (true, options.password)
        let redis = try RedisServerProcess(server)
        let sentinel = try SentinelProcess(of: try #require(redis.port), options)
        let node = try await NodeProcess.start(
            nodeId: "a",
            redisURL:
                "redis+sentinel://:hidden-redis@127.0.0.1:\(sentinel.port)/primary?sentinelPassword=hidden-sentinel",
            environment: ["MARTLET_LOG_LEVEL": "trace"])
        try await node.logged("The node is registered")
        node.terminate()
        #expect(await node.exitStatus() == 0)
        #expect(!node.log.contains("hidden-"))
        sentinel.stop()
        withExtendedLifetime(redis) {}
    }

    @Test func `a node on one server of a Redis Cluster does not start, and names the URL that is needed`() async throws
    {
        var options = RedisServerProcess.Options()
        options.listensOnTCP = true
        options.arguments = ["--cluster-enabled", "yes"]
        let redis = try RedisServerProcess(options)
        let ended = try await NodeProcess.run(
            ["serve"],
            environment: [
                "MARTLET_REDIS_URL": redis.url, "MARTLET_CLIENT_PORT": "0", "MARTLET_API_PORT": "0",
                "MARTLET_API_KEY": NodeProcess.apiKey, "MARTLET_AUTH_MODE": "none",
            ])
        #expect(ended.status == 78 && ended.output.contains("redis+cluster://"), "\(ended.output)")
    }

    @Test func `a token that the command makes opens a session, and an expired or foreign one does not`() async throws {
        let secret = "0123456789abcdef0123456789abcdef"
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: redis.url,
            environment: ["MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": secret])
        func token(_ arguments: String...) async throws -> String {
            let made = try await NodeProcess.run(
                ["token", "--user", "alice"] + arguments, environment: ["MARTLET_AUTH_SECRET": secret])
            #expect(made.status == 0, "\(made.output)")
            return made.output.split(separator: "\n").last.map(String.init) ?? ""
        }
        let good = try await token("--rooms", #"{"lesson-*":["join"]}"#)
        let alice = try await Participant.connect(to: node.clientURL, as: "") { $0.credentials = .token { good } }
        try await alice.join("lesson-1")
        await #expect(throws: (any Error).self) { try await alice.client.join("office") }
        await #expect(throws: (any Error).self) { try await alice.client.publish(Array("1".utf8), to: "lesson-1") }
        // A refused token is asked for again; having none then, the client ends.
        let asked = Mutex(0)
        await #expect(throws: (any Error).self) {
            try await Participant.connect(to: node.clientURL, as: "") {
                $0.credentials = .token {
                    asked.withLock { count in
                        count += 1
                        return count == 1 ? good + "x" : ""
                    }
                }
            }
        }
        #expect(asked.withLock { $0 } == 2)
        // Nothing of a token reaches a log.
        #expect(!node.log.contains(good.suffix(20)))
    }

    @Test func `a node that crashes leaves no image of its memory, and so no keys`() async throws {
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil)
        let limits = try String(contentsOfFile: "/proc/\(node.pid)/limits", encoding: .utf8)
        let core = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
        #expect(core.split(separator: " ").dropFirst(4).prefix(2) == ["0", "0"], "\(core)")
    }

    @Test func `without a Redis of its own choosing a node brings one, which is gone when the node is killed`()
        async throws
    {
        let node = try await NodeProcess.start(nodeId: "a", redisURL: nil)
        try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
        let answer = try await node.request("POST", "/v1/broadcast", body: #"{"to":{"everyone":true},"payload":1}"#)
        #expect(answer.status == 200)
        let servers = try processes(ofSession: node.pid)
        node.kill9()
        try await eventually("the end of its Redis") { servers.allSatisfy { kill($0, 0) != 0 } }
        #expect(!servers.isEmpty)
    }

    @Test func `SIGTERM sends clients elsewhere and ends the node with status 0; the health check follows`()
        async throws
    {
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(
            nodeId: "a", redisURL: redis.url, environment: ["MARTLET_DRAIN_TIMEOUT": "2s"])
        try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
        let health = try await NodeProcess.run(["health", "--url", "http://127.0.0.1:\(node.apiPort)/readyz"])
        #expect(health.status == 0, "\(health.output)")
        let socket = try await WebSocketConnection.connect(
            WebSocketConfiguration(host: "127.0.0.1", port: node.clientPort, path: "/ws?userId=u"),
            on: .singletonMultiThreadedEventLoopGroup)
        var frames: [String] = []
        while let event = await socket.next() {
            guard case .text(let frame) = event else { continue }
            // Only who has been welcomed is told where to go.
            if frames.isEmpty { node.terminate() }
            frames.append(String(buffer: frame))
        }
        #expect(frames.contains { $0.hasPrefix(#"{"type":"reconnect","afterMs":"#) }, "\(frames)")
        #expect(await socket.ended().code == 1001)
        #expect(await node.exitStatus() == 0)
        #expect(try await redis.cli("HLEN", "m:{nodes}:index") == "0")
        let gone = try await NodeProcess.run(["health", "--url", "http://127.0.0.1:\(node.apiPort)/readyz"])
        #expect(gone.status != 0)
    }

    @Test func `a hang-up has the settings read again, is told in the log, and ends nothing`() async throws {
        let redis = try RedisServerProcess()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: redis.url)
        try await eventually("readiness") { try await node.request("GET", "/readyz").status == 200 }
        kill(node.pid, SIGHUP)
        try await node.logged("SIGHUP: the settings are read again")
        try await node.logged("no setting has changed")
        #expect(try await node.request("GET", "/readyz").status == 200)
    }

    @Test(arguments: ["<&- >&- 2>&-", ">&-", "2>&-"])
    func `what was closed by whoever starts a node is given to none of its files and sockets`(closed: String)
        async throws
    {
        let file = FileManager.default.temporaryDirectory.path + "/streams-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let node = try ProgramProcess(
            ["sh", "-c", "exec \"$0\" serve \(closed)", NodeProcess.executable],
            environment: ["MARTLET_CLIENT_PORT": "0", "MARTLET_API_PORT": "0"], file: file)
        let streams = {
            (0...2).map { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(node.pid)/fd/\($0)") }
        }
        try await eventually("a node with all that it opens") {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(node.pid)/fd").count > 20
        }
        #expect(streams().allSatisfy { $0 == "/dev/null" || $0 == file }, "\(streams())")
    }

    @Test func `a second node with a living one's name waits for two leases and refuses, status 75`() async throws {
        let redis = try RedisServerProcess()
        let first = try await NodeProcess.start(nodeId: "a", redisURL: redis.url)
        try await eventually("readiness") { try await first.request("GET", "/readyz").status == 200 }
        let second = try await NodeProcess.start(
            nodeId: "a", redisURL: redis.url, environment: ["MARTLET_DRAIN_TIMEOUT": "1s"])
        #expect(await second.exitStatus() == 75)
        #expect(second.log.contains("another living node is called a"))
        #expect(try await first.request("GET", "/readyz").status == 200)
    }

    @Test(
        arguments: [
            ["partitions", "64", "sessionKey", "1:0f"],
            ["partitions", "64 evenly tagged", "format", "9", "reads", "9"],
        ])
    func `what an earlier or a later release has left ends the node with status 78 and says what to do`(
        deployment: [String]
    ) async throws {
        let redis = try RedisServerProcess()
        _ = try await RedisServerProcess.cli(["-s", redis.socketPath, "HSET", "m:{nodes}:deployment"] + deployment)
        let (status, output) = try await NodeProcess.run(
            ["serve"],
            environment: [
                "MARTLET_REDIS_URL": redis.url, "MARTLET_API_KEY": "k", "MARTLET_CLIENT_PORT": "0",
                "MARTLET_API_PORT": "0", "MARTLET_DRAIN_TIMEOUT": "1s",
            ])
        #expect(status == 78)
        #expect(output.contains("redis.prefix") && output.contains("format"))
        #expect(try await redis.cli("EXISTS", "m:{nodes}:index") == "0")
    }

    @Test func `a Redis that refuses the password ends the node with status 78`() async throws {
        var options = RedisServerProcess.Options()
        options.password = "right"
        let redis = try RedisServerProcess(options)
        let wrong = redis.url.replacingOccurrences(of: "right", with: "wrong")
        let (status, output) = try await NodeProcess.run(
            ["serve"],
            environment: [
                "MARTLET_REDIS_URL": wrong, "MARTLET_API_KEY": "k", "MARTLET_CLIENT_PORT": "0",
                "MARTLET_API_PORT": "0", "MARTLET_DRAIN_TIMEOUT": "1s",
            ])
        #expect(status == 78)
        #expect(output.contains("WRONGPASS") && !output.contains("wrong"))
    }

    @Test(arguments: [
        ("redis+sentinel://127.0.0.1:PORT/other", "watches no primary called other"),
        ("redis://127.0.0.1:PORT", "write redis+sentinel://127.0.0.1:PORT/NAME"),
    ])
    func `a name that no sentinel knows, and a sentinel taken for a server, end the node with status 78`(
        url: String, reason: String
    ) async throws {
        let sentinel = try SentinelProcess(of: 1)
        let (url, reason) = (
            url.replacingOccurrences(of: "PORT", with: "\(sentinel.port)"),
            reason.replacingOccurrences(of: "PORT", with: "\(sentinel.port)")
        )
        let (status, output) = try await NodeProcess.run(
            ["serve"],
            environment: [
                "MARTLET_REDIS_URL": url, "MARTLET_API_KEY": "k", "MARTLET_CLIENT_PORT": "0",
                "MARTLET_API_PORT": "0", "MARTLET_DRAIN_TIMEOUT": "1s",
            ])
        #expect(status == 78)
        #expect(output.contains(reason), "\(output)")
        sentinel.stop()
    }

    /// The private Redis and its guardian: children of the node, found by their parents.
    private func processes(ofSession node: pid_t) throws -> [pid_t] {
        var parents: [pid_t: pid_t] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let pid = pid_t(name), let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            else { continue }  // It ended meanwhile.
            let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
            if fields.count > 2, let parent = pid_t(fields[2]) { parents[pid] = parent }
        }
        let children = parents.filter { $0.value == node }.map(\.key)
        return children + parents.filter { children.contains($0.value) }.map(\.key)
    }
}
