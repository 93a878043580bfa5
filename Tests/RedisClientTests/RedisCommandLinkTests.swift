import NIOCore
import NIOPosix
import RedisClient
import TestKit
import Testing

@Suite(.timeLimit(.minutes(2))) struct RedisCommandLinkTests {
    @Test func `commands of one thread run in the order they were sent`() async throws {
        let server = try RedisServerProcess()
        try await withLink(RedisConfiguration(socket: server.socketPath)) { link, _ in
            let answers = Recorder<Answer>()
            for number in 1...2000 {
                link.send(["RPUSH", "list", .integer(Int64(number))], as: number, to: answers)
            }
            try await answers.until { $0.count == 2000 }
            #expect(answers.all == (1...2000).map { Answer(number: $0, result: .success(":\($0)")) })
            let list = try await link.send(["LRANGE", "list", 0, -1])
            #expect(list.strings == (1...2000).map { "\($0)" })
        }
    }

    @Test func `replies of all kinds arrive, over TCP as well`() async throws {
        var options = RedisServerProcess.Options()
        options.listensOnTCP = true
        let server = try RedisServerProcess(options)
        try await withLink(RedisConfiguration(port: try #require(server.port))) { link, _ in
            let stored = try await link.send(["SET", "k", .bytes([0, 13, 10, 255])])
            #expect(stored.string == "OK")
            #expect(try await link.send(["GET", "k"]).bytes == [0, 13, 10, 255])
            #expect(try await link.send(["GET", "none"]).isNull)
            let nested = "return {1, {'a', {}}, false}"
            #expect(try await link.send(["EVAL", .string(nested), 0]).text == "[:1 [a []] null]")
            let large = [UInt8](repeating: 7, count: 3_000_000)
            #expect(try await link.send(["SET", "large", .bytes(large)]).string == "OK")
            #expect(try await link.send(["GET", "large"]).bytes == large)
        }
    }

    @Test func `an error reply fails its command alone`() async throws {
        let server = try RedisServerProcess()
        try await withLink(RedisConfiguration(socket: server.socketPath)) { link, states in
            _ = try await link.send(["SET", "k", "v"])
            await #expect(
                throws: RedisError.reply(
                    code: "WRONGTYPE", message: "Operation against a key holding the wrong kind of value")
            ) { try await link.send(["LPUSH", "k", "x"]) }
            #expect(try await link.send(["GET", "k"]).string == "v")
            #expect(states.all.count == 1)
        }
    }

    @Test func `placeholders are filled in with the server's token and a first attempt`() async throws {
        let server = try RedisServerProcess()
        try await withLink(RedisConfiguration(socket: server.socketPath)) { link, states in
            _ = try await link.send(["RPUSH", "k", .server, .attempt])
            let values = try await link.send(["LRANGE", "k", 0, -1]).strings
            let known = try #require(states.all.first?.server)
            #expect(values == [known.token, "0"])
            #expect(try await server.cli("INFO", "server").contains("run_id:\(known.runID)"))
            #expect(try await server.cli("INFO", "replication").contains("master_replid:\(known.replicationID)"))
        }
    }

    @Test func `scripts are loaded at connecting and called by digest, others are sent whole`() async throws {
        let server = try RedisServerProcess()
        let known = RedisScript(name: "known", source: "return KEYS[1] .. ARGV[1]")
        let unknown = RedisScript(name: "unknown", source: "return ARGV[1] .. KEYS[1]")
        try await withLink(RedisConfiguration(socket: server.socketPath), scripts: [known]) { link, _ in
            #expect(try await link.call(known, keys: ["a"], arguments: ["b"]).string == "ab")
            #expect(try await link.call(unknown, keys: ["a"], arguments: ["b"]).string == "ba")
            let statistics = try await server.cli("INFO", "commandstats")
            #expect(statistics.contains("cmdstat_evalsha:calls=1"))
            #expect(statistics.contains("cmdstat_eval:calls=1"))
        }
    }

    @Test func `a script that was flushed is loaded again unseen, and nothing is reordered`() async throws {
        let server = try RedisServerProcess()
        let push = RedisScript(name: "push", source: "return redis.call('RPUSH', KEYS[1], ARGV[1])")
        try await withLink(RedisConfiguration(socket: server.socketPath), scripts: [push]) { link, states in
            let answers = Recorder<Answer>()
            _ = try await link.call(push, keys: ["list"], arguments: [0])
            _ = try await server.cli("SCRIPT", "FLUSH")
            for number in 1...20 {
                link.call(push, keys: ["list"], arguments: [.integer(Int64(number))]) { result in
                    answers.record(Answer(number: number, result: result.map(\.text)))
                }
            }
            try await answers.until { $0.count == 20 }
            #expect(answers.all.map(\.number) == Array(1...20))
            let list = try await link.send(["LRANGE", "list", 0, -1]).strings
            #expect(list == (0...20).map { "\($0)" })
            #expect(states.all.filter(\.isConnected).count == 2)
        }
    }

    @Test func `password, user and database are used on each connection`() async throws {
        var options = RedisServerProcess.Options()
        options.password = "sesame"
        let server = try RedisServerProcess(options)
        _ = try await server.cli("ACL", "SETUSER", "alice", "on", ">open", "~*", "&*", "+@all")
        var configuration = try RedisConfiguration(url: "unix://\(server.socketPath)?db=3&user=alice&password=open")
        configuration.clientName = "the-link"
        try await withLink(configuration) { link, states in
            _ = try await link.send(["SET", "k", "v"])
            #expect(try await server.cli("-n", "3", "GET", "k") == "v")
            _ = try await server.cli("CLIENT", "KILL", "USER", "alice")
            try await states.until { $0.filter(\.isConnected).count == 2 }
            #expect(try await link.send(["GET", "k"]).string == "v")
            #expect(try await link.send(["ACL", "WHOAMI"]).string == "alice")
            #expect(try await link.send(["CLIENT", "GETNAME"]).string == "the-link")
        }
    }

    @Test(arguments: ["?password=guess-7", ""])
    func `a wrong or missing password is told as refused, without naming it`(query: String) async throws {
        var options = RedisServerProcess.Options()
        options.password = "sesame-7"
        let server = try RedisServerProcess(options)
        try await withLink(try RedisConfiguration(url: "unix://\(server.socketPath)\(query)")) { link, states in
            try await states.until { !$0.isEmpty }
            guard case .refused(let message) = states.all[0] else {
                Issue.record("told as \(states.all)")
                return
            }
            #expect(!message.contains("-7"))
            await #expect(throws: RedisError.self) { try await link.send(["PING"], timeout: .milliseconds(100)) }
        }
    }

    @Test func `the link comes up by itself once the password is right`() async throws {
        let server = try RedisServerProcess()
        _ = try await server.cli("CONFIG", "SET", "requirepass", "later")
        let url = "unix://\(server.socketPath)?password=now"
        var configuration = try RedisConfiguration(url: url)
        configuration.reconnectCeiling = .milliseconds(50)
        try await withLink(configuration) { _, states in
            try await states.until { !$0.isEmpty }
            #expect(!states.all[0].isConnected)
            _ = try await server.cli("-a", "later", "CONFIG", "SET", "requirepass", "now")
            try await states.until { $0.contains(where: \.isConnected) }
        }
    }

    @Test func `a right that is missing fails its command alone, and the link goes on`() async throws {
        let server = try RedisServerProcess()
        _ = try await server.cli("ACL", "SETUSER", "node", "on", ">pw", "~*", "&*", "+@all", "-set")
        let url = "unix://\(server.socketPath)?user=node&password=pw"
        try await withLink(try RedisConfiguration(url: url)) { link, states in
            #expect(try await link.send(["GET", "k"]).isNull)
            await #expect {
                try await link.send(["SET", "k", "v"])
            } throws: { error in
                if case .reply(code: "NOPERM", _)? = error as? RedisError { true } else { false }
            }
            #expect(try await link.send(["GET", "k"]).isNull)
            _ = try await server.cli("ACL", "SETUSER", "node", "+set")
            _ = try await link.send(["SET", "k", "v"])
            #expect(states.all.count == 1 && states.all[0].isConnected)
        }
    }

    @Test func `a link that is no longer let in gives its credentials again, and its command is carried out`()
        async throws
    {
        var options = RedisServerProcess.Options()
        options.password = "sesame"
        let server = try RedisServerProcess(options)
        let url = "unix://\(server.socketPath)?password=sesame"
        try await withLink(try RedisConfiguration(url: url)) { link, states in
            _ = try await link.send(["RESET"])
            #expect(try await link.send(["SET", "k", "v"]).string == "OK")
            #expect(states.all.map(\.isConnected) == [true, false, true])
            guard case .refused(let reason) = states.all[1] else {
                Issue.record("told as \(states.all)")
                return
            }
            #expect(reason.hasPrefix("NOAUTH"))
        }
    }

    @Test func `a full Redis fails the write, and reads go on`() async throws {
        var options = RedisServerProcess.Options()
        options.maxMemory = "3mb"
        let server = try RedisServerProcess(options)
        try await withLink(RedisConfiguration(socket: server.socketPath)) { link, _ in
            let block = RedisArgument.bytes([UInt8](repeating: 1, count: 600_000))
            var failure: RedisError?
            for number in 0..<10 where failure == nil {
                do {
                    _ = try await link.send(["SET", .string("k\(number)"), block])
                } catch {
                    failure = error as? RedisError
                }
            }
            guard case .reply(code: "OOM", _) = failure else {
                Issue.record("failed with \(String(describing: failure))")
                return
            }
            let length = try await link.send(["STRLEN", "k0"])
            #expect(length.integer == 600_000)
        }
    }

    @Test func `shutting down fails what is pending and what comes, and closes the connection`() async throws {
        let server = try RedisServerProcess()
        let link = RedisCommandLink(
            configuration: RedisConfiguration(socket: server.socketPath),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: .silent)
        link.start()
        #expect(try await link.send(["PING"]).string == "PONG")
        let answers = Recorder<Answer>()
        link.send(["BLPOP", "nothing", 0], as: 1, to: answers)
        try await link.shutdown().get()
        link.send(["PING"], as: 2, to: answers)
        try await answers.until { $0.count == 2 }
        #expect(answers.all == [1, 2].map { Answer(number: $0, result: .failure(.closed)) })
        #expect(!link.isConnected)
        try await link.shutdown().get()
    }

    @Test func `a link that was never started shuts down too`() async throws {
        let link = RedisCommandLink(
            configuration: RedisConfiguration(socket: "/nowhere"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: .silent)
        let answers = Recorder<Answer>()
        link.send(["PING"], as: 1, to: answers)
        try await link.shutdown().get()
        try await answers.until { !$0.isEmpty }
        #expect(answers.all == [Answer(number: 1, result: .failure(.closed))])
    }

    @Test func `a full queue refuses at once and keeps what it has`() async throws {
        let server = try RedisServerProcess()
        var configuration = RedisConfiguration(socket: server.socketPath)
        configuration.maxQueuedCommands = 5
        // The link's own ping would take a place in the queue.
        configuration.pingInterval = .seconds(600)
        try await withLink(configuration) { link, _ in
            _ = try await link.send(["PING"])
            server.pause()
            let answers = Recorder<Answer>()
            for number in 1...8 {
                link.send(["RPUSH", "k", .integer(Int64(number))], as: number, to: answers)
            }
            try await answers.until { $0.count == 3 }
            let full = RedisError.unavailable("the queue is full")
            #expect(answers.all.allSatisfy { $0.number > 5 && $0.result == .failure(full) })
            server.resume()
            try await answers.until { $0.count == 8 }
            #expect(answers.all.suffix(5).map(\.number) == Array(1...5))
        }
    }
}
