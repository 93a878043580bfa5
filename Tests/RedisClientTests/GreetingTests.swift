import RedisClient
import Testing

@Suite struct GreetingTests {
    private var configuration = RedisConfiguration(endpoint: .unix(path: "/nowhere"))
    private let script = RedisScript(name: "one", source: "return 1")
    private let info = "$36|redis_version:7.0.15\nrun_id:abc\nos:x|"
    private let primary = "$33|role:master\nx:1\nmaster_replid:def|"

    /// The commands that an action sends, as words.
    private func sent(_ action: Greeting.Action) -> [String] {
        guard case .send(let commands) = action else { return ["no commands: \(action)"] }
        return commands.map { command in
            command.map { argument in
                switch argument {
                case .string(let text): text
                case .integer(let number): "\(number)"
                case .bytes, .server, .attempt, .connection, .numbered: "?"
                }
            }.joined(separator: " ")
        }
    }

    private func reply(_ text: String) throws -> RedisReply {
        let reader = try #require(ReplyReader(maxReplyBytes: 1024))
        var replies: [RedisReply] = []
        try Array(text.replacing("|", with: "\r\n").utf8).withUnsafeBytes { bytes in
            try reader.read(bytes) { reply in
                replies.append(reply.copied())
                return true
            }
        }
        return try #require(replies.first)
    }

    private func identity(_ action: Greeting.Action) -> LinkIdentity? {
        if case .ready(let identity) = action { identity } else { nil }
    }

    private func isWait(_ action: Greeting.Action) -> Bool {
        if case .wait = action { true } else { false }
    }

    private func failure(_ action: Greeting.Action) -> LinkFailure? {
        if case .fail(_, let failure) = action { failure } else { nil }
    }

    private func previous(_ runID: String, clientID: Int64 = 41) -> LinkIdentity {
        LinkIdentity(server: ServerID(runID: runID, replicationID: "earlier"), clientID: clientID)
    }

    @Test mutating func `a first link authenticates, asks who is there and then sets itself up`() throws {
        configuration.username = "u"
        configuration.password = "p"
        configuration.database = 2
        configuration.clientName = "n"
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [script])
        #expect(sent(greeting.start()) == ["AUTH u p", "INFO server", "INFO replication"])
        #expect(try isWait(greeting.received(reply("+OK|"))))
        #expect(try isWait(greeting.received(reply(info))))
        let rest = sent(greeting.received(try reply(primary)))
        #expect(rest == ["SELECT 2", "CLIENT SETNAME n", "CLIENT ID", "SCRIPT LOAD return 1"])
        #expect(try isWait(greeting.received(reply("+OK|"))))
        #expect(try isWait(greeting.received(reply("+OK|"))))
        #expect(try isWait(greeting.received(reply(":42|"))))
        let ready = identity(greeting.received(try reply("$1|d|")))
        #expect(ready?.server == ServerID(runID: "abc", replicationID: "def"))
        #expect(ready?.version == "7.0.15")
        #expect(ready?.clientID == 42)
    }

    @Test func `the old link is killed and its end awaited before anything else is said`() throws {
        var greeting = Greeting(commandLink: configuration, previous: previous("abc"), scripts: [])
        #expect(sent(greeting.start()) == ["INFO server", "INFO replication"])
        #expect(try isWait(greeting.received(reply(info))))
        #expect(try sent(greeting.received(reply(primary))) == ["CLIENT KILL ID 41"])
        #expect(try sent(greeting.received(reply("-ERR No such client|"))) == ["CLIENT ID"])
        #expect(try identity(greeting.received(reply(":43|")))?.clientID == 43)
    }

    @Test func `a link comes back to a server that it left for another, and ends what it was there`() throws {
        let other = previous("other", clientID: 7)
        var greeting = Greeting(commandLink: configuration, previous: other, earlier: [previous("abc")], scripts: [])
        _ = greeting.start()
        #expect(try isWait(greeting.received(reply(info))))
        #expect(try sent(greeting.received(reply(primary))) == ["CLIENT KILL ID 41"])
    }

    @Test(arguments: ["cluster", "sentinel"], ["redis", "server"])
    func `a server of another kind is refused, with the URL that leads to one`(mode: String, name: String) throws {
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [])
        _ = greeting.start()
        let text = "redis_version:7.0.15\n\(name)_mode:\(mode)\nrun_id:abc\n"
        guard case .fail(let reason, .refused) = greeting.received(try reply("$\(text.utf8.count)|\(text)|"))
        else {
            Issue.record("it was taken")
            return
        }
        #expect(reason.contains("redis+\(mode)://"))
    }

    @Test(arguments: [false, true])
    func `a Sentinel that is taken for a server is refused with the URL to write`(tls: Bool) throws {
        var configuration = RedisConfiguration(endpoint: .tcp(host: "::1", port: 26380))
        configuration.tls = tls
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [])
        _ = greeting.start()
        let text = "redis_mode:sentinel\nrun_id:abc\n"
        guard case .fail(let reason, .refused) = greeting.received(try reply("$\(text.utf8.count)|\(text)|"))
        else {
            Issue.record("it was taken")
            return
        }
        #expect(reason.contains("\(tls ? "rediss" : "redis")+sentinel://[::1]:26380/NAME"))
    }

    private var ofCluster: RedisConfiguration {
        var configuration = configuration
        configuration.topology = .cluster(seeds: [.tcp(host: "h", port: 7000)])
        return configuration
    }

    private func reason(_ action: Greeting.Action) -> String? {
        if case .fail(let reason, .refused) = action { reason } else { nil }
    }

    private func server(_ mode: String) throws -> RedisReply {
        let text = "redis_version:7.0.15\n\(mode)\nrun_id:abc\n"
        return try reply("$\(text.utf8.count)|\(text)|")
    }

    @Test(arguments: [false, true], ["redis", "server"])
    func `a node of a Cluster behind the URL of one server is refused with the URL to write`(
        tls: Bool, name: String
    ) throws {
        for isForSubscriptions in [false, true] {
            var configuration = RedisConfiguration(endpoint: .tcp(host: "::1", port: 7000))
            configuration.tls = tls
            var greeting =
                isForSubscriptions
                ? Greeting(subscriptions: configuration)
                : Greeting(commandLink: configuration, previous: nil, scripts: [])
            _ = greeting.start()
            let said = reason(greeting.received(try server("\(name)_mode:cluster")))
            let url = "\(tls ? "rediss" : "redis")+cluster://[::1]:7000"
            #expect(
                said == "it is a node of a Redis Cluster, and redis:// is for one server by itself; write \(url)")
        }
    }

    @Test(arguments: ["redis_mode:standalone", "server_mode:standalone", "redis_mode:sentinel", "os:x"])
    func `a server by itself behind the URL of a Cluster is refused with what to write`(mode: String) throws {
        let text = "it is no node of a Redis Cluster; one server by itself needs redis:// in place of redis+cluster://"
        var greeting = Greeting(commandLink: ofCluster, previous: nil, scripts: [])
        _ = greeting.start()
        #expect(reason(greeting.received(try server(mode))) == text)
        // The link that only asks is told the same.
        var member = configuration
        member.peer = .clusterMember
        var asking = Greeting(commandLink: member, previous: nil, scripts: [])
        _ = asking.start()
        #expect(reason(asking.received(try server(mode))) == text)
    }

    @Test(arguments: ["redis_mode:cluster", "server_mode:cluster"])
    func `a Cluster's node is taken behind the URL of one, and only a primary`(mode: String) throws {
        var greeting = Greeting(commandLink: ofCluster, previous: nil, scripts: [])
        #expect(sent(greeting.start()) == ["INFO server", "INFO replication", "CLUSTER MYID"])
        #expect(try isWait(greeting.received(server(mode))))
        #expect(try isWait(greeting.received(reply(primary))))
        #expect(try sent(greeting.received(reply("$3|abc|"))) == ["CLIENT ID"])
        #expect(try identity(greeting.received(reply(":9|")))?.server == ServerID(runID: "abc", replicationID: "def"))
        var other = Greeting(subscriptions: ofCluster)
        _ = other.start()
        #expect(try isWait(other.received(server(mode))))
        #expect(try failure(other.received(reply("$28|role:slave\nmaster_replid:def|"))) == .unfit)
    }

    @Test(arguments: [true, false])
    func `a primary of another Cluster is refused before anything is said to it`(isForSubscriptions: Bool) throws {
        for id in ["X", "A"] {
            let admits: @Sendable (String) -> Bool = { ["A", "B"].contains($0) }
            var greeting =
                isForSubscriptions
                ? Greeting(subscriptions: ofCluster, admits: admits)
                : Greeting(commandLink: ofCluster, previous: previous("abc"), scripts: [script], admits: admits)
            _ = greeting.start()
            _ = greeting.received(try server("redis_mode:cluster"))
            #expect(try isWait(greeting.received(reply(primary))))
            let next = greeting.received(try reply("$1|\(id)|"))
            if id == "X" {
                #expect(failure(next) == .stranger(id: "X"))
            } else {
                #expect(sent(next) == [isForSubscriptions ? "PING" : "CLIENT KILL ID 41"])
            }
        }
    }

    @Test(arguments: [
        "-NOPERM this user has no permissions|", "-ERR unknown subcommand|", "$-1|", "$0||", ":1|", "*0|",
    ])
    func `one that does not say who it is in its Cluster is taken`(answer: String) throws {
        var greeting = Greeting(commandLink: ofCluster, previous: nil, scripts: []) { _ in false }
        _ = greeting.start()
        _ = greeting.received(try server("redis_mode:cluster"))
        #expect(try isWait(greeting.received(reply(primary))))
        #expect(try sent(greeting.received(reply(answer))) == ["CLIENT ID"])
    }

    @Test func `a server that is asked about its Cluster may be a replica, and nothing is ended there`() throws {
        var member = configuration
        member.peer = .clusterMember
        member.password = "p"
        var greeting = Greeting(commandLink: member, previous: previous("abc"), scripts: [script])
        #expect(sent(greeting.start()) == ["AUTH p", "INFO server"])
        #expect(try isWait(greeting.received(reply("+OK|"))))
        #expect(try sent(greeting.received(server("redis_mode:cluster"))) == ["PING"])
        #expect(try identity(greeting.received(reply("+PONG|")))?.server.runID == "abc")
    }

    @Test(arguments: [true, false])
    func `a sentinel is asked who it is and nothing else, however often`(isForSubscriptions: Bool) throws {
        var configuration = configuration
        configuration.peer = .sentinel
        configuration.password = "p"
        var greeting =
            isForSubscriptions
            ? Greeting(subscriptions: configuration)
            : Greeting(commandLink: configuration, previous: previous("abc"), scripts: [])
        #expect(sent(greeting.start()) == ["AUTH p", "INFO server"])
        #expect(try isWait(greeting.received(reply("+OK|"))))
        #expect(try sent(greeting.received(reply("$30|redis_mode:sentinel\nrun_id:abc|"))) == ["PING"])
        #expect(try identity(greeting.received(reply("+PONG|")))?.server.runID == "abc")
    }

    @Test func `a server that is taken for a Sentinel is refused`() throws {
        var configuration = configuration
        configuration.peer = .sentinel
        var greeting = Greeting(subscriptions: configuration)
        _ = greeting.start()
        #expect(try failure(greeting.received(reply(info))) == .refused)
    }

    @Test func `no client of another run is killed`() throws {
        var greeting = Greeting(commandLink: configuration, previous: previous("other"), scripts: [])
        _ = greeting.start()
        _ = greeting.received(try reply(info))
        #expect(try sent(greeting.received(reply(primary))) == ["CLIENT ID"])
    }

    @Test(
        arguments: [
            ("-WRONGPASS invalid username-password pair|", .refused), ("-NOAUTH Authentication required.|", .refused),
            ("-NOPERM this user has no permissions|", .refused),
            ("-DENIED Redis is running in protected mode|", .refused),
            ("-LOADING Redis is loading the dataset in memory|", .passing),
            ("-BUSY Redis is busy running a script|", .passing),
            ("-ERR max number of clients reached|", .passing), ("-ERR AUTH called without any password|", .refused),
        ] as [(String, LinkFailure)])
    func `only what an operator must mend counts as refused`(text: String, expected: LinkFailure) throws {
        var configuration = configuration
        configuration.password = "p"
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [])
        _ = greeting.start()
        #expect(try failure(greeting.received(reply(text))) == expected)
    }

    @Test(arguments: ["+OK|", "$0||", ":1|", "*1|+x|", "$-1|"])
    func `a server that does not say who it is, is none`(text: String) throws {
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [])
        _ = greeting.start()
        #expect(try failure(greeting.received(reply(text))) == .passing)
    }

    @Test(arguments: ["+OK|", "$0||", ":1|", "$11|role:master|", "$31|role:master\nmaster_replid:\nx:00|"])
    func `a server that does not say which data it holds, is none`(text: String) throws {
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [])
        _ = greeting.start()
        _ = greeting.received(try reply(info))
        #expect(try failure(greeting.received(reply(text))) == .passing)
    }

    @Test(arguments: [true, false])
    func `a replica is not accepted, and nothing is said to it but the question`(isForSubscriptions: Bool) throws {
        var greeting =
            isForSubscriptions
            ? Greeting(subscriptions: configuration)
            : Greeting(commandLink: configuration, previous: previous("abc"), scripts: [script])
        #expect(sent(greeting.start()) == ["INFO server", "INFO replication"])
        _ = greeting.received(try reply(info))
        #expect(try failure(greeting.received(reply("$28|role:slave\nmaster_replid:def|"))) == .unfit)
    }

    @Test func `subscriptions too know which server brings them, and a reply too many is a failure`() throws {
        var greeting = Greeting(subscriptions: configuration)
        _ = greeting.start()
        _ = greeting.received(try reply(info))
        #expect(try sent(greeting.received(reply(primary))) == ["PING"])
        let ready = identity(greeting.received(try reply("+PONG|")))
        #expect(ready?.server == ServerID(runID: "abc", replicationID: "def"))
        #expect(try failure(greeting.received(reply("+PONG|"))) == .passing)
    }
}
