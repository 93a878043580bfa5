import RedisClient
import Testing

@Suite struct RedisURLTests {
    @Test func `a TCP URL names host, port, user, password and database`() throws {
        let configuration = try RedisConfiguration(url: "redis://al%69ce:p%40ss%2Fword@redis.internal:7000/5")
        #expect(configuration.endpoint == .tcp(host: "redis.internal", port: 7000))
        #expect(configuration.username == "alice")
        #expect(configuration.password == "p@ss/word")
        #expect(configuration.database == 5)
        #expect(!configuration.tls)
        #expect(configuration.description == "redis://redis.internal:7000/5")
    }

    @Test func `what a TCP URL leaves out has its default`() throws {
        let configuration = try RedisConfiguration(url: "redis://localhost")
        #expect(configuration.endpoint == .tcp(host: "localhost", port: 6379))
        #expect(configuration.username == nil)
        #expect(configuration.password == nil)
        #expect(configuration.database == 0)
    }

    @Test func `a password alone stands behind a colon`() throws {
        let configuration = try RedisConfiguration(url: "rediss://:a@b:c@[::1]:6380/")
        #expect(configuration.endpoint == .tcp(host: "::1", port: 6380))
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
        #expect(configuration.endpoint == .unix(path: "/run/redis one.sock"))
        #expect(configuration.database == 3)
        #expect(configuration.password == "p&w")
        #expect(configuration.description == "unix:///run/redis one.sock?db=3")
    }

    @Test func `one that is led elsewhere keeps its times and nothing of where it led before`() throws {
        var configuration = try RedisConfiguration(url: "rediss://alice:secret@redis.internal:7000/5?ca=/authority.pem")
        configuration.commandTimeout = .seconds(9)
        try configuration.lead(to: "redis://other")
        #expect(configuration.endpoint == .tcp(host: "other", port: 6379) && configuration.database == 0)
        #expect(configuration.username == nil && configuration.password == nil)
        #expect(!configuration.tls && configuration.certificateAuthorityFile == nil)
        #expect(configuration.commandTimeout == .seconds(9))
    }

    @Test(arguments: [
        "localhost:6379", "http://localhost", "redis://", "redis://:secret@", "redis://h:0", "redis://h:99999",
        "redis://h:secret", "redis://h/x", "redis://u@h", "redis://[::1", "redis://:secret%zz@h",
        "redis://:secret%+1@h", "redis://:%ff@h", "unix://relative", "unix:///s?db=secret", "unix:///s?secret=1",
        "redis://h?ca=/secret", "redis://:sec/ret@h", "",
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
