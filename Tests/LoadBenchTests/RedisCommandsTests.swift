import LoadBench
import Testing

@Suite struct RedisCommandsTests {
    @Test func `calls are read from what Redis tells, and what came since is told without the question itself`() {
        let first = RedisCommands(info: "# Commandstats\r\ncmdstat_get:calls=3,usec=9,usec_per_call=3.00\r\n")
        let last = RedisCommands(
            info: """
                # Commandstats\r\ncmdstat_get:calls=5,usec=9,usec_per_call=3.00\r\n\
                cmdstat_client|setname:calls=2,usec=1\r\ncmdstat_info:calls=1,usec=80\r\n
                """)
        #expect(last.since(first) == ["get": 2, "client|setname": 2])
        #expect(first.since(first) == [:])
    }

    @Test(arguments: [
        ("redis-server unixsocket:/tmp/m/redis.sock\0", RedisCommands.Address.unix("/tmp/m/redis.sock")),
        ("redis-server 127.0.0.1:6379", .port(6379)), ("/usr/bin/redis-server *:6380 [cluster]", .port(6380)),
        ("redis-server 127.0.0.1:0", nil), ("martlet\0serve\0", nil), ("", nil),
    ])
    func `a Redis's address is read off its title`(_ title: String, _ address: RedisCommands.Address?) {
        #expect(RedisCommands.address(inTitle: title) == address)
    }
}
