import RedisClient
import Testing

@Suite struct GreetingTests {
    private var configuration = RedisConfiguration(endpoint: .unix(path: "/nowhere"))
    private let script = RedisScript(name: "one", source: "return 1")
    private let info = "$36|redis_version:7.0.15\nrun_id:abc\nos:x|"

    /// The commands that an action sends, as words.
    private func sent(_ action: Greeting.Action) -> [String] {
        guard case .send(let commands) = action else { return ["no commands: \(action)"] }
        return commands.map { command in
            command.map { argument in
                switch argument {
                case .string(let text): text
                case .integer(let number): "\(number)"
                case .bytes, .runID, .attempt, .connection: "?"
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

    private func isRefusal(_ action: Greeting.Action) -> Bool? {
        if case .fail(_, let refused) = action { refused } else { nil }
    }

    private func previous(_ runID: String) -> LinkIdentity {
        var identity = LinkIdentity()
        identity.runID = runID
        identity.clientID = 41
        return identity
    }

    @Test mutating func `a first link authenticates, asks who is there and then sets itself up`() throws {
        configuration.username = "u"
        configuration.password = "p"
        configuration.database = 2
        configuration.clientName = "n"
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [script])
        #expect(sent(greeting.start()) == ["AUTH u p", "INFO server"])
        #expect(try isWait(greeting.received(reply("+OK|"))))
        let rest = sent(greeting.received(try reply(info)))
        #expect(rest == ["SELECT 2", "CLIENT SETNAME n", "CLIENT ID", "SCRIPT LOAD return 1"])
        #expect(try isWait(greeting.received(reply("+OK|"))))
        #expect(try isWait(greeting.received(reply("+OK|"))))
        #expect(try isWait(greeting.received(reply(":42|"))))
        let ready = identity(greeting.received(try reply("$1|d|")))
        #expect(ready?.runID == "abc")
        #expect(ready?.version == "7.0.15")
        #expect(ready?.clientID == 42)
    }

    @Test func `the old link is killed and its end awaited before anything else is said`() throws {
        var greeting = Greeting(commandLink: configuration, previous: previous("abc"), scripts: [])
        #expect(sent(greeting.start()) == ["INFO server"])
        #expect(try sent(greeting.received(reply(info))) == ["CLIENT KILL ID 41"])
        #expect(try sent(greeting.received(reply("-ERR No such client|"))) == ["CLIENT ID"])
        #expect(try identity(greeting.received(reply(":43|")))?.clientID == 43)
    }

    @Test func `no client of another run is killed`() throws {
        var greeting = Greeting(commandLink: configuration, previous: previous("other"), scripts: [])
        _ = greeting.start()
        #expect(try sent(greeting.received(reply(info))) == ["CLIENT ID"])
    }

    @Test(arguments: [
        ("-WRONGPASS invalid username-password pair|", true), ("-NOAUTH Authentication required.|", true),
        ("-NOPERM this user has no permissions|", true), ("-DENIED Redis is running in protected mode|", true),
        ("-LOADING Redis is loading the dataset in memory|", false), ("-BUSY Redis is busy running a script|", false),
        ("-ERR max number of clients reached|", false), ("-ERR AUTH called without any password|", true),
    ])
    func `only what an operator must mend counts as refused`(text: String, isRefused: Bool) throws {
        var configuration = configuration
        configuration.password = "p"
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [])
        _ = greeting.start()
        #expect(try isRefusal(greeting.received(reply(text))) == isRefused)
    }

    @Test(arguments: ["+OK|", "$0||", ":1|", "*1|+x|", "$-1|"])
    func `a server that does not say who it is, is none`(text: String) throws {
        var greeting = Greeting(commandLink: configuration, previous: nil, scripts: [])
        _ = greeting.start()
        #expect(try isRefusal(greeting.received(reply(text))) == false)
    }

    @Test func `a reply too many is a failure`() throws {
        var greeting = Greeting(subscriptions: configuration)
        #expect(sent(greeting.start()) == ["PING"])
        #expect(try identity(greeting.received(reply("+PONG|"))) != nil)
        #expect(try isRefusal(greeting.received(reply("+PONG|"))) == false)
    }
}
