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
    }
}
