import RedisClient
import Testing

/// What servers of a Cluster say of it, read.
@Suite("The word of a Cluster's server")
struct ClusterWordTests {
    private static let asked = RedisConfiguration.Endpoint.tcp(host: "seed", port: 7000)
    private static let id = String(repeating: "a", count: 40)

    private static func reply(_ text: String) throws -> RedisReply {
        let reader = try #require(ReplyReader(maxReplyBytes: 1 << 16))
        var replies: [RedisReply] = []
        try Array(text.replacing("|", with: "\r\n").utf8).withUnsafeBytes { bytes in
            try reader.read(bytes) { reply in
                replies.append(reply.copied())
                return true
            }
        }
        return try #require(replies.first)
    }

    private static func word(
        _ answer: ClusterAnswers.Answer, at asked: RedisConfiguration.Endpoint = asked
    ) throws -> ClusterWord? {
        ClusterWord(nodes: answer.nodes, slots: try reply(answer.slots), at: asked)
    }

    /// Each primary as its place, its epoch and its slots.
    private static func words(_ answer: ClusterAnswers.Answer) throws -> Set<String> {
        let word = try #require(try word(answer))
        return Set(
            word.primaries.map { primary in
                let slots = primary.slots.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
                return "\(primary.place) \(primary.epoch) \(slots)"
            })
    }

    /// A Cluster of one, which says that it is at this host and port, and of which the line on it is this.
    private static func alone(
        host: String, port: Int = 7001, more: String = "*0|",
        line: String = "10.0.0.1:7001@17001 myself,master - 0 0 7 connected 0-16383"
    ) -> ClusterAnswers.Answer {
        ClusterAnswers.Answer(
            nodes: "\(id) \(line)\n", slots: "*1|*3|:0|:16383|*4|\(host):\(port)|$40|\(id)|\(more)")
    }

    @Test func `Redis and Valkey name each primary with its place, its epoch and its slots, also single ones`() throws {
        #expect(
            try Self.words(ClusterAnswers.redis) == [
                "127.0.0.1:17411 1 0-99,101-5460", "127.0.0.1:17412 3 100-100,5461-10922",
                "127.0.0.1:17413 0 10923-16383",
            ])
        #expect(
            try Self.words(ClusterAnswers.valkey) == [
                "127.0.0.1:17421 0 0-99,101-5460", "127.0.0.1:17422 3 100-100,5461-10922",
                "127.0.0.1:17423 1 10923-16383",
            ])
    }

    @Test func `all of a Cluster are its members, replicas as well, but for those that have not answered yet`() throws {
        #expect(try Self.word(ClusterAnswers.redis)?.members.count == 4)
        let handshake = ":0@0 handshake - 1 0 0 connected"
        #expect(try Self.word(Self.alone(host: "$1|h|", line: handshake))?.members == [])
    }

    @Test func `one that calls itself what none of them is called is misnamed, one that does not say is not`() throws {
        let slots = try Self.reply(ClusterAnswers.redis.slots)
        for (id, isMisnamed) in [
            ("e65b814e69d726e5a389dee75c919a803d5404ad", false), (nil, false), ("x", true), ("", true),
        ] {
            let word = ClusterWord(nodes: ClusterAnswers.redis.nodes, slots: slots, at: Self.asked, id: id)
            #expect(word?.isMisnamed == isMisnamed)
            #expect(word?.speaker == "e65b814e69d726e5a389dee75c919a803d5404ad")
        }
    }

    @Test func `a slot on the move is its old server's until it has moved`() throws {
        #expect(
            try Self.words(ClusterAnswers.redisMoving) == [
                "127.0.0.1:17411 1 0-5460", "127.0.0.1:17412 3 5461-10922", "127.0.0.1:17413 0 10923-16383",
            ])
        #expect(
            try Self.words(ClusterAnswers.valkeyMoving) == [
                "127.0.0.1:17421 0 0-5460", "127.0.0.1:17422 3 5461-10922", "127.0.0.1:17423 1 10923-16383",
            ])
    }

    @Test func `a dead primary whose replica took over has nothing`() throws {
        let words = try Self.words(ClusterAnswers.redisFailover)
        #expect(words.contains("127.0.0.1:17414 4 0-99,101-5460") && words.count == 3)
        let valkey = try Self.words(ClusterAnswers.valkeyFailover)
        #expect(valkey.contains("127.0.0.1:17424 4 0-99,101-5460") && valkey.count == 3)
    }

    @Test func `a dead primary without one that took over has its slots still`() throws {
        let answer = Self.alone(
            host: "$8|10.0.0.1|", line: "10.0.0.1:7001@17001 master,fail - 1 1 7 disconnected 0-16383")
        #expect(try Self.words(answer) == ["10.0.0.1:7001 7 0-16383"])
    }

    @Test func `the name that a server prefers is its place, and its address where it has none`() throws {
        #expect(
            try Self.words(ClusterAnswers.redisNamed) == [
                "redis-a.example:17411 1 0-99,101-5460", "127.0.0.1:17412 3 100-100,5461-10922",
                "127.0.0.1:17413 0 10923-16383",
            ])
    }

    @Test func `servers that say of nobody where it is are all where they were asked, each at its port`() throws {
        #expect(
            try Self.words(ClusterAnswers.redisNameless) == [
                "seed:17411 1 0-99,101-5460", "seed:17412 3 100-100,5461-10922", "seed:17413 0 10923-16383",
            ])
        #expect(try Self.words(Self.alone(host: "$0||")) == ["seed:7001 7 0-16383"])
    }

    @Test func `a replica that takes over between the two questions is known by its place`() throws {
        let answer = ClusterAnswers.Answer(
            nodes: ClusterAnswers.redisFailover.nodes, slots: ClusterAnswers.redis.slots)
        #expect(try Self.words(answer).contains("127.0.0.1:17414 4 0-99,101-5460"))
    }

    @Test func `an address of IPv6 is one`() throws {
        #expect(try Self.words(Self.alone(host: "$3|::1|")) == ["[::1]:7001 7 0-16383"])
    }

    @Test(arguments: ["$1|?|", "$7|0.0.0.0|", "$2|::|", "$3|a b|"])
    func `one of whom nobody says where it is has no place`(host: String) throws {
        #expect(try Self.words(Self.alone(host: host)) == [])
    }

    @Test func `one without an address, with no port, and one that is just being met have none either`() throws {
        #expect(try Self.words(Self.alone(host: "$0||", port: 0)) == [])
        let noAddress = Self.alone(host: "$0||", port: 0, line: ":0@0 master,noaddr - 1 1 7 disconnected 0-16383")
        #expect(try Self.words(noAddress) == [])
        let handshake = ":0@0 handshake - 1 0 0 connected"
        #expect(try Self.words(Self.alone(host: "$1|h|", line: handshake)) == [])
        #expect(try Self.words(ClusterAnswers.redisAlone) == [])
        #expect(try Self.word(ClusterAnswers.redisAlone) != nil)
    }

    @Test func `where it was asked over a file, one without a name is nowhere`() throws {
        let word = try Self.word(Self.alone(host: "$0||"), at: .unix(path: "/s"))
        #expect(word?.primaries == [])
    }

    @Test func `slots that are none are passed over`() throws {
        let line = "10.0.0.1:7001@17001 master - 0 0 7 connected 5 x 9-7 7-9 70000 1-2-3 [10-<-b] [11->-c]"
        #expect(try Self.words(Self.alone(host: "$1|h|", line: line)) == ["h:7001 7 5-5,7-9"])
    }

    @Test(arguments: [
        ("", "*1|*3|:0|:1|*0|"), ("", "*1|*3|:0|:1|*3|$1|h|$1|x|$1|i|"), ("", "*1|*3|:0|:1|*2|$1|h|:1|"), ("", "+OK|"),
        ("", "$-1|"), ("", "*1|:1|"), ("", "*1|*2|:0|:1|"), ("OK", "*0|"), ("i a master - 0 0 x connected", "*0|"),
        ("i a master - 0 0 7", "*0|"),
    ])
    func `what is of another shape is no word`(nodes: String, slots: String) throws {
        #expect(try Self.word(ClusterAnswers.Answer(nodes: nodes, slots: slots)) == nil)
    }

    @Test func `an empty Cluster is a word`() throws {
        #expect(try Self.word(ClusterAnswers.Answer(nodes: "", slots: "*0|")) == ClusterWord(primaries: []))
    }

    // MARK: How it stands

    @Test func `the state, the epoch and the primary's identity are read from real answers`() {
        let info = ClusterAnswers.redisInfo
        #expect(ClusterState(info, server: "") == ClusterState(isFine: true, epoch: 3))
        let server = ServerID(
            runID: "4dafbe5c754c9a0a1d05af0cbc81956853d1839c", replicationID: "094883a94f4279852386cb1d704c2149420476e4"
        )
        #expect(
            ClusterState(ClusterAnswers.valkeyDown.replacing("\n", with: "\r\n"), server: ClusterAnswers.valkeyServer)
                == ClusterState(isFine: false, epoch: 4, primary: server))
        #expect(ClusterState(info, server: "role:slave\nrun_id:a\nmaster_replid:b\n")?.primary == nil)
        #expect(ClusterState(info, server: "role:master\nmaster_replid:b\n")?.primary == nil)
    }

    @Test(arguments: [
        "", "cluster_state:ok", "cluster_current_epoch:3", "cluster_state:ok\ncluster_current_epoch:x", "OK",
    ])
    func `what tells no state is none`(info: String) {
        #expect(ClusterState(info, server: ClusterAnswers.valkeyServer) == nil)
    }
}
