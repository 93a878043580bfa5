import GatewayNode
import Testing

@Suite("What the start says")
struct SettingsSummaryTests {
    @Test func `on a laptop: ports, a Redis that keeps nothing, a key made for this run`() throws {
        #expect(
            try load().settings.summary(partitions: 64) == [
                "martlet \(MartletVersion.current), node box-xxxx",
                "clients  ws://127.0.0.1:8080/ws, auth.mode none: every client is who it says it is",
                "api      http://127.0.0.1:8081/v1, with a key made for this run",
                "redis    a private one, which keeps nothing and ends with this node",
                "rooms    64 partitions; 1000 messages or 4MiB for 24h of each room, 100 messages or 2MiB for 168h to a user, "
                    + "100 messages or 8MiB for 24h to everyone are kept",
                "limits   messages up to 64KiB, 100 a second (burst 200), 200 rooms a connection, 1MiB queued, "
                    + "1000 from one address, 100 of one user, 5000 handshakes a second",
                "losses   a user stays online for 5s, a session can be resumed for 120s",
                "beats    a ping every 30s, 3 missed end a connection; draining takes up to 30s",
            ])
    }

    @Test func `in production: no password, no key, no secret, and the ports that are really bound`() throws {
        let settings = try load(
            "rooms:\n  - pattern: a\n",
            [
                "MARTLET_REDIS_URL": "rediss://app:hunter2@redis.example/3", "MARTLET_API_KEY": "hunter2,hunter2b",
                "MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": "hunter2hunter2hunter2hunter2hunt",
                "MARTLET_CLIENT_HOST": "::", "MARTLET_CLIENT_PORT": "0", "MARTLET_LOG_SIZE": "0",
                "MARTLET_CLIENT_MAX_CONNECTIONS": "9",
                "MARTLET_CLIENT_MAX_CONNECTIONS_PER_USER": "1", "MARTLET_CLIENT_ACCEPT_RATE": "300",
            ]
        ).settings
        let lines = settings.summary(partitions: 64, clientPort: 4711)
        #expect(lines[1] == "clients  ws://[::]:4711/ws, auth.mode jwt (HS256)")
        #expect(lines[2] == "api      http://127.0.0.1:8081/v1, with any of 2 configured keys")
        #expect(lines[3] == "redis    rediss://redis.example:6379/3, keys begin with m")
        #expect(lines[4].contains("no messages of each room") && lines[4].hasSuffix("; 1 rule by pattern"))
        #expect(lines[5].hasSuffix(", 9 connections, 1000 from one address, 1 of one user, 300 handshakes a second"))
        #expect(!lines.joined().contains("hunter2"))
    }
}
