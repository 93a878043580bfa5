import RedisClient
import Testing

@Suite struct RedisURLTests {
    @Test func `a TCP URL names host, port, user, password and database`() throws {
        let configuration = try RedisConfiguration(url: "redis://al%69ce:p%40ss%2Fword@redis.internal:7000/5")
        #expect(configuration.topology == .single(.tcp(host: "redis.internal", port: 7000)))
        #expect(configuration.username == "alice")
        #expect(configuration.password == "p@ss/word")
        #expect(configuration.database == 5)
        #expect(!configuration.tls)
        #expect(configuration.description == "redis://redis.internal:7000/5")
    }

    @Test func `what a TCP URL leaves out has its default`() throws {
        let configuration = try RedisConfiguration(url: "redis://localhost")
        #expect(configuration.topology == .single(.tcp(host: "localhost", port: 6379)))
        #expect(configuration.username == nil)
        #expect(configuration.password == nil)
        #expect(configuration.database == 0)
    }

    @Test func `a password alone stands behind a colon`() throws {
        let configuration = try RedisConfiguration(url: "rediss://:a@b:c@[::1]:6380/")
        #expect(configuration.topology == .single(.tcp(host: "::1", port: 6380)))
        #expect(configuration.username == nil)
        #expect(configuration.password == "a@b:c")
        #expect(configuration.tls)
    }

    @Test(arguments: [
        "redis://:@h", "redis://@h", "rediss://:@h:6379/0", "unix:///s?password=", "unix:///s?user=&password=",
        "redis://h?password=",
    ])
    func `an empty password alone is none`(url: String) throws {
        let configuration = try RedisConfiguration(url: url)
        #expect(configuration.username == nil && configuration.password == nil)
    }

    @Test(arguments: ["redis://bob:@h", "unix:///s?user=bob&password=", "unix:///s?password=&user=bob"])
    func `a user may have an empty password, which Redis then does not look at`(url: String) throws {
        let configuration = try RedisConfiguration(url: url)
        #expect(configuration.username == "bob" && configuration.password == "")
    }

    @Test func `a unix URL takes database and password from its query`() throws {
        let configuration = try RedisConfiguration(url: "unix:///run/redis%20one.sock?db=3&password=p%26w")
        #expect(configuration.topology == .single(.unix(path: "/run/redis one.sock")))
        #expect(configuration.database == 3)
        #expect(configuration.password == "p&w")
        #expect(configuration.description == "unix:///run/redis one.sock?db=3")
    }

    @Test func `a Sentinel URL names the sentinels, the primary, and the passwords of both`() throws {
        let url = "redis+sentinel://al%69ce:pw@a:1,b,[::1]:3/main%2d1?db=2&sentinelPassword=s%26w"
        let configuration = try RedisConfiguration(url: url)
        let places: [RedisConfiguration.Endpoint] = [
            .tcp(host: "a", port: 1), .tcp(host: "b", port: 26379), .tcp(host: "::1", port: 3),
        ]
        #expect(
            configuration.topology == .sentinel(Sentinels(places: places, name: "main-1", password: "s&w")))
        #expect(configuration.username == "alice" && configuration.password == "pw" && configuration.database == 2)
        #expect(!configuration.tls)
        #expect(configuration.description == "redis+sentinel://a:1,b:26379,[::1]:3/main-1?db=2")
    }

    @Test func `a Sentinel URL with TLS means the sentinels too, and what it leaves out has its default`() throws {
        let configuration = try RedisConfiguration(url: "rediss+sentinel://h/main?ca=/authority.pem&sentinelPassword=")
        #expect(configuration.tls && configuration.certificateAuthorityFile == "/authority.pem")
        #expect(
            configuration.topology
                == .sentinel(Sentinels(places: [.tcp(host: "h", port: 26379)], name: "main", password: nil)))
        #expect(configuration.password == nil && configuration.database == 0)
    }

    @Test func `a Cluster URL names some of its servers, and who the node is to all`() throws {
        let configuration = try RedisConfiguration(url: "REDIS+cluster://al%69ce:p%40w@a:1,b,[::1]:3/?db=0")
        let seeds: [RedisConfiguration.Endpoint] = [
            .tcp(host: "a", port: 1), .tcp(host: "b", port: 6379), .tcp(host: "::1", port: 3),
        ]
        #expect(configuration.topology == .cluster(seeds: seeds) && configuration.topology.isSharded)
        #expect(configuration.username == "alice" && configuration.password == "p@w" && configuration.database == 0)
        #expect(!configuration.tls)
        #expect(configuration.description == "redis+cluster://a:1,b:6379,[::1]:3")
    }

    @Test(arguments: [
        "rediss+cluster://:pw@h", "rediss+cluster://h/0?password=pw", "rediss+cluster://h?user=&password=pw&db=0",
    ])
    func `a Cluster URL with TLS, one server and a password alone`(url: String) throws {
        let configuration = try RedisConfiguration(url: url + (url.contains("?") ? "&" : "?") + "ca=/authority.pem")
        #expect(configuration.topology == .cluster(seeds: [.tcp(host: "h", port: 6379)]))
        #expect(configuration.tls && configuration.certificateAuthorityFile == "/authority.pem")
        #expect(configuration.username == nil && configuration.password == "pw")
        #expect(configuration.description == "rediss+cluster://h:6379")
    }

    @Test(arguments: ["redis+cluster://h/1", "redis+cluster://h?db=1", "rediss+cluster://:secret@h,i/15"])
    func `a Cluster has one database, and the error says what to use instead`(url: String) throws {
        let error = try #require(throws: RedisURLError.self) { try RedisConfiguration(url: url) }
        #expect(error.description == "a Cluster has database 0 only; deployments are told apart by redis.prefix")
    }

    @Test(arguments: [
        "redis+cluster://a,b,a", "redis+cluster://a:6379,A", "redis+cluster://[::1]:1,[::1]:1",
        "rediss+cluster://a,a:6379",
    ])
    func `a server that a Cluster URL names twice is a mistake`(url: String) throws {
        let error = try #require(throws: RedisURLError.self) { try RedisConfiguration(url: url) }
        #expect(error.description == "it names a server twice")
    }

    @Test func `a wrong scheme is told all that there are`() throws {
        let error = try #require(throws: RedisURLError.self) { try RedisConfiguration(url: "redis-cluster://h") }
        #expect(error.description.contains("redis+cluster://") && error.description.contains("rediss+cluster://"))
    }

    @Test func `one that is led elsewhere keeps its times and nothing of where it led before`() throws {
        var configuration = try RedisConfiguration(url: "rediss://alice:secret@redis.internal:7000/5?ca=/authority.pem")
        configuration.commandTimeout = .seconds(9)
        try configuration.lead(to: "redis://other")
        #expect(configuration.topology == .single(.tcp(host: "other", port: 6379)) && configuration.database == 0)
        #expect(configuration.username == nil && configuration.password == nil)
        #expect(!configuration.tls && configuration.certificateAuthorityFile == nil)
        #expect(configuration.commandTimeout == .seconds(9))
    }

    @Test(arguments: [
        "localhost:6379", "http://localhost", "redis://", "redis://:secret@", "redis://h:0", "redis://h:99999",
        "redis://h:secret", "redis://h/x", "redis://u@h", "redis://[::1", "redis://:secret%zz@h",
        "redis://:secret%+1@h", "redis://:%ff@h", "unix://relative", "unix:///s?db=secret", "unix:///s?secret=1",
        "redis://h?ca=/secret", "redis://h?name=secret", "rediss://h?cert=/secret", "rediss://h?key=/secret",
        "redis://:sec/ret@h", "", "redis+sentinel://h", "redis+sentinel://h/",
        "redis+sentinel://h,/secret", "redis+sentinel://h,h:26379/secret", "redis+sentinel://h/secret/0",
        "redis+sentinel://h/a%20secret", "redis+sentinel://h:0/n", "redis+sentinel://h/n?ca=/secret",
        "redis+sentinel://h/n?sentinelPassword=secret%", "redis://h?sentinelPassword=secret", "sentinel://h/n",
        "redis+cluster://", "redis+cluster://h,/0", "redis+cluster://,h", "redis+cluster://h:0", "redis+cluster://u@h",
        "redis+cluster://h/secret", "redis+cluster://h?db=secret", "redis+cluster://h?ca=/secret",
        "redis+cluster://h?sentinelPassword=secret", "redis+cluster://:secret%zz@h", "cluster://h", "redis+cluster:/h",
    ])
    func `a wrong URL is refused without repeating it`(url: String) {
        do {
            _ = try RedisConfiguration(url: url)
            Issue.record("\(url) was taken")
        } catch {
            #expect(!error.description.contains("secret"))
            #expect(!error.description.contains("ret@"))
        }
    }
}
