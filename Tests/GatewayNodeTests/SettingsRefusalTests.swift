import Foundation
import GatewayNode
import Testing

@Suite("Settings that are refused")
struct SettingsRefusalTests {
    @Test(
        arguments: [
            ("client:\n  prot: 1\n", "client.prot is not a key, did you mean client.port? (martlet.yaml, line 2)"),
            (
                "port: 1\n",
                "port is not a key, did you mean client.port or api.port or archive.port? (martlet.yaml, line 1)"
            ),
            ("clinet:\n  port: 1\n", "clinet is not a key, did you mean client? (martlet.yaml, line 2)"),
            ("frobnicate: 1\n", "frobnicate is not a key (martlet.yaml, line 1)"),
            ("client:\n  port: 99999\n", "client.port = \"99999\" is outside 0 to 65535 (martlet.yaml, line 2)"),
            ("client:\n  port: http\n", "client.port = \"http\" is not a whole number (martlet.yaml, line 2)"),
            (
                "client:\n  port: [1]\n",
                "client.port = \"1\" is a list where one value is expected (martlet.yaml, line 2)"
            ),
            ("client:\n  port: {a: 1}\n", "client.port is a single value, not a group of keys (martlet.yaml, line 2)"),
            ("client:\n  port:\n", "client.port has no value (martlet.yaml, line 2)"),
            ("rooms:\n", "rooms has no value; an empty list is [] (martlet.yaml, line 1)"),
            ("auth:\n  issuers: ~\n", "auth.issuers has no value; an empty list is [] (martlet.yaml, line 2)"),
            ("pusher:\n  apps:\n", "pusher.apps has no value; an empty list is [] (martlet.yaml, line 2)"),
            ("client: 8080\n", "client is a group of keys, not a value (martlet.yaml, line 1)"),
            ("client:\n  port: 1\n  port: 2\n", "port is given twice (martlet.yaml, line 2)"),
            (
                "client:\n  port: 1\nclient.port: 2\n",
                "client.port is given twice, first on line 2 (martlet.yaml, line 3)"
            ),
            ("client:\n\tport: 1\n", "martlet.yaml, line 2: a tab indents it, YAML takes spaces only"),
            ("client:\n  origins: *\n", "martlet.yaml, line 2: text that begins with * needs quotes"),
            ("- a\n- b\n", "martlet.yaml: the file is not a list of keys and values"),
            (
                "heartbeat: {interval: 30}\n",
                "heartbeat.interval = \"30\" needs a unit, as in 500ms, 5s, 2m or 24h (martlet.yaml, line 1)"
            ),
            (
                "heartbeat: {interval: 11m}\n",
                "heartbeat.interval = \"11m\" is outside 1s to 10m (martlet.yaml, line 1)"
            ),
            (
                "api: {maxBodyBytes: 1MB}\n",
                "api.maxBodyBytes = \"1MB\" is not a number of bytes, such as 65536, 64KiB or 1MiB (martlet.yaml, line 1)"
            ),
            ("client: {echo: yes}\n", "client.echo = \"yes\" is neither true nor false (martlet.yaml, line 1)"),
            (
                "log: {level: debgu}\n",
                "log.level = \"debgu\" is none of trace, debug, info, notice, warning, error, critical, did you mean debug? "
                    + "(martlet.yaml, line 1)"
            ),
            ("client: {origins: []}\n", "client.origins = \"\" is empty (martlet.yaml, line 1)"),
            (
                "client: {origins: [app.example]}\n",
                "client.origins = \"app.example\" is not an origin such as https://app.example, or * (martlet.yaml, line 1)"
            ),
            (
                "client: {trustedProxies: [10.0.0.0/33]}\n",
                "client.trustedProxies = \"10.0.0.0/33\" is not an address or a CIDR block such as 10.0.0.0/8 "
                    + "(martlet.yaml, line 1)"
            ),
            ("nodeId: a b\n", "nodeId = \"a b\" is not 1 to 64 characters of A-Z a-z 0-9 . _ - (martlet.yaml, line 1)"),
            (
                "auth: {algorithms: [none]}\n",
                "auth.algorithms = \"none\" is none of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, "
                    + "ES256, ES384, ES512, EdDSA (martlet.yaml, line 1)"
            ),
            ("rooms: {}\n", "rooms is not a list (martlet.yaml, line 1)"),
            ("rooms:\n  - allow: [join]\n", "rooms[0] has no pattern (martlet.yaml, line 2)"),
            (
                "rooms:\n  - pattern: a\n  - pattern: 'b c'\n",
                "rooms[1].pattern is not a room name in which * stands for any characters (martlet.yaml, line 3)"
            ),
            (
                "rooms:\n  - pattern: a\n  - pattern: b\n  - pattern: c\n    allow: [jion]\n",
                "rooms[2].allow holds \"jion\", which is none of join, publish, presence, history, did you mean join? "
                    + "(martlet.yaml, line 5)"
            ),
            (
                "rooms:\n  - pattern: a\n    outside: [join]\n",
                "rooms[0].outside holds \"join\", which is none of presence, history (martlet.yaml, line 3)"
            ),
            (
                "rooms:\n  - pattern: a\n    alow: [join]\n",
                "rooms[0].alow is not a key, did you mean allow? (martlet.yaml, line 3)"
            ),
            (
                "rooms:\n  - pattern: a\n    presence: on\n",
                "rooms[0].presence = \"on\" is none of full, off (martlet.yaml, line 3)"
            ),
            (
                "client: {onTooManyConnections: closeNewest}\n",
                "client.onTooManyConnections = \"closeNewest\" is none of closeOldest, refuseNewest, did you mean closeOldest? "
                    + "(martlet.yaml, line 1)"
            ),
            (
                "redis: {budget: 80}\n",
                "redis.budget = \"80\" is 80 bytes: a share has its sign, as in 80% (martlet.yaml, line 1)"
            ),
            ("redis: {budget: 101%}\n", "redis.budget = \"101%\" is outside 1% to 100% (martlet.yaml, line 1)"),
            (
                "redis: {budget: most}\n",
                "redis.budget = \"most\" is neither a share, such as 80%, nor a number of bytes, such as 800MiB "
                    + "(martlet.yaml, line 1)"
            ),
            (
                "rooms:\n  - pattern: a\n    log: {bytes: 5}\n",
                "rooms[0].log.bytes = \"5\" is outside 64KiB to 1024GiB (martlet.yaml, line 3)"
            ),
            (
                "presence: {grace: 1h}\n", "presence.grace = \"1h\" is outside 0s to 5m (martlet.yaml, line 1)"
            ),
            (
                "rooms:\n  - pattern: a\n    log: {age: 5}\n",
                "rooms[0].log.age = \"5\" needs a unit, as in 500ms, 5s, 2m or 24h (martlet.yaml, line 3)"
            ),
        ])
    func `a wrong file is refused in one line that names key and place`(yaml: String, line: String) throws {
        #expect(try refusal(yaml) == line)
    }

    @Test func `a wrong variable is refused by name`() throws {
        #expect(
            try refusal(nil, ["MARTLET_CLIENT_PORT": "x\ny"])
                == "client.port = \"x y\" is not a whole number (from MARTLET_CLIENT_PORT)")
    }

    @Test func `an unknown variable is only warned of, with the one that was meant`() throws {
        let (_, warnings) = try load(nil, ["MARTLET_CLIENT_PROT": "1", "MARTLET_XYZZY": "1", "HOME": "/"])
        #expect(
            warnings == [
                "MARTLET_CLIENT_PROT is not a setting, did you mean MARTLET_CLIENT_PORT?",
                "MARTLET_XYZZY is not a setting",
            ])
    }

    @Test(
        arguments: [
            (
                ["MARTLET_CLIENT_HOST": "0.0.0.0"],
                "auth.mode must be said, jwt, hook or none, since client.host 0.0.0.0 can be reached from elsewhere"
            ),
            (
                ["MARTLET_AUTH_MODE": "jwt"],
                "auth.secret is missing: auth.mode jwt needs it, or keyFile or jwks in its place (MARTLET_AUTH_SECRET)"
            ),
            (
                ["MARTLET_REDIS_URL": "redis://h"],
                "api.key is missing: with redis.url set, all nodes need the same one (MARTLET_API_KEY)"
            ),
            (["MARTLET_API_PORT": "8080"], "api.port is 8080, which client.port has taken already"),
            (
                ["MARTLET_CLIENT_MAX_QUEUED_BYTES": "64KiB"],
                "client.maxQueuedBytes must be at least twice client.maxMessageBytes: a single message would close its readers"
            ),
            (
                ["MARTLET_AUTH_SECRET": "short"],
                "auth.secret is shorter than 16 bytes; make one with: openssl rand -hex 32 (from MARTLET_AUTH_SECRET)"
            ),
            (
                ["MARTLET_AUTH_SECRET": "0123456789abcdef0123456789abcdef\n0123456789abcdef0123456789abcdef"],
                "auth.secret holds a line break or another character that does not print (from MARTLET_AUTH_SECRET)"
            ),
            (
                ["MARTLET_WEBHOOKS_URL": "https://a.example/", "MARTLET_WEBHOOKS_SECRET": "\u{feff}0123456789abcdef"],
                "webhooks.secret holds a line break or another character that does not print (from MARTLET_WEBHOOKS_SECRET)"
            ),
            (
                ["MARTLET_WEBHOOKS_URL": "https://a.example/", "MARTLET_WEBHOOKS_SECRET": "fifteen bytes!!"],
                "webhooks.secret is shorter than 16 bytes; make one with: openssl rand -hex 32 (from MARTLET_WEBHOOKS_SECRET)"
            ),
            (
                [
                    "MARTLET_AUTH_SECRET": "0123456789abcdef", "MARTLET_AUTH_MODE": "jwt",
                    "MARTLET_CLIENT_HOST": "0.0.0.0",
                ],
                """
                auth.secret is shorter than 32 bytes, and client.host 0.0.0.0 can be reached from elsewhere; make one with: \
                openssl rand -hex 32 (MARTLET_AUTH_SECRET)
                """
            ),
            (
                ["MARTLET_API_KEY": "two words"],
                "api.key must be visible ASCII without spaces, 512 bytes at most (from MARTLET_API_KEY)"
            ),
            (["MARTLET_API_KEY": "a,,b"], "api.key has an empty item (from MARTLET_API_KEY)"),
            (
                ["MARTLET_REDIS_URL": "redis+sentinel://a:1,b:2"],
                """
                redis.url cannot be used: it must end in the name that the sentinels give the primary, as in \
                redis+sentinel://host:26379/NAME (from MARTLET_REDIS_URL)
                """
            ),
            (
                ["MARTLET_REDIS_URL": "redis+cluster://a:1,b:2/1"],
                """
                redis.url cannot be used: a Cluster has database 0 only; deployments are told apart by redis.prefix \
                (from MARTLET_REDIS_URL)
                """
            ),
        ])
    func `what cannot go together is refused`(environment: [String: String], line: String) throws {
        #expect(try refusal(nil, environment) == line)
    }

    @Test(
        arguments: [
            ["MARTLET_REDIS_URL": "redis://:hunter2@"], ["MARTLET_REDIS_URL": "hunter2"],
            ["MARTLET_AUTH_SECRET": "hunter2"], ["MARTLET_API_KEY": "hunter2 hunter2"],
        ])
    func `no refusal shows a secret`(environment: [String: String]) throws {
        let line = try #require(try refusal(nil, environment))
        #expect(!line.contains("hunter2"))
        let (name, value) = try #require(environment.first)
        let scratch = try Scratch()
        let fromFile = try #require(try refusal(nil, [name + "_FILE": try scratch.file("secret", value)]))
        #expect(!fromFile.contains("hunter2") && fromFile.contains("\(name)_FILE"))
    }

    @Test func `a secret's file is read without its last line's end`() throws {
        let scratch = try Scratch()
        let secret = try scratch.file("jwt", "0123456789abcdef0123456789abcdef\r\n")
        let settings = try load(nil, ["MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET_FILE": secret]).settings
        #expect(settings.auth.common.secrets == ["0123456789abcdef0123456789abcdef"])
    }

    @Test func `a secret's file that cannot be used is refused by the variable's name`() throws {
        let scratch = try Scratch()
        let missing = "\(scratch.path)/none"
        #expect(
            try refusal(nil, ["MARTLET_API_KEY_FILE": missing])
                == "MARTLET_API_KEY_FILE: \(missing) cannot be read: No such file or directory")
        let empty = try scratch.file("empty", "\n")
        #expect(try refusal(nil, ["MARTLET_API_KEY_FILE": empty]) == "MARTLET_API_KEY_FILE: the file is empty")
        let key = try scratch.file("key", "k")
        #expect(
            try refusal(nil, ["MARTLET_API_KEY_FILE": key, "MARTLET_API_KEY": "k"])
                == "api.key is given twice (from MARTLET_API_KEY and MARTLET_API_KEY_FILE)")
    }

    @Test(
        arguments: [
            (
                "log: {durability: replicated}",
                "log.durability = replicated needs redis.url: the node's own Redis has no replica"
            ),
            (
                "rooms: [{pattern: a}, {pattern: b, durability: replicated}]",
                "rooms[1].durability = replicated needs redis.url: the node's own Redis has no replica"
            ),
            (
                "redis: {url: \"redis://localhost\"}\nrooms: [{pattern: a, durability: replicated, log: {size: 0}}]",
                "rooms[0].durability = replicated keeps nothing: its log.size is 0"
            ),
        ])
    func `durability replicated is refused where there is no replica, or nothing for it to have`(
        yaml: String, problem: String
    ) throws {
        #expect(try refusal(yaml, ["MARTLET_API_KEY": "k"]) == problem)
    }

    @Test func `a durability that is none is refused with its place`() throws {
        let problem = try #require(try refusal("rooms:\n  - pattern: a\n    durability: replicate\n", [:]))
        #expect(problem.hasPrefix("rooms[0].durability = \"replicate\" is none of primary, replicated"))
    }

    @Test func `a file that is not there, not text, or a folder is refused`() throws {
        let scratch = try Scratch()
        let binary = "\(scratch.path)/binary"
        try Data([0xff, 0xfe, 0x00]).write(to: URL(fileURLWithPath: binary))
        for (path, problem) in [
            ("\(scratch.path)/none", "cannot be read: No such file or directory"),
            (scratch.path, "cannot be read: Is a directory"), (binary, "is not UTF-8 text"),
        ] {
            let error = #expect(throws: SettingsError.self) { try Settings.load(file: path, environment: [:]) }
            #expect(error?.description == "the configuration: \(path) \(problem)")
        }
    }

    @Test(
        arguments: [
            (["MARTLET_AUTH_SECRET": "0123456789abcdef"], "auth.secret has no effect: auth.mode is none"),
            (
                ["MARTLET_REDIS_FAILOVER_GRACE": "14s"],
                "redis.failoverGrace is below 15s: a failover by Sentinel may take longer, and then tells users offline"
            ),
            (
                ["MARTLET_ARCHIVE_EVERYONE": "true"],
                "rooms with archive: true need redis.url: no martlet archive reaches the node's own Redis, and what waits fills it"
            ),
            (
                ["MARTLET_AUTH_SECRET": "0123456789abcdef", "MARTLET_AUTH_MODE": "jwt"],
                "auth.secret is shorter than 32 bytes: what signs with HS256 should be as long as its hash"
            ),
        ])
    func `what is allowed but unwise is warned of`(environment: [String: String], warning: String) throws {
        #expect(try load(nil, environment).warnings == [warning])
    }

    @Test(
        arguments: [
            ("local", "is well known"), ("Secret", "is well known"), ("changeme", "is well known"),
            ("CHANGEMECHANGEME", "is well known"), ("your-api-key-here", "is well known"),
            ("fifteen-bytes-x", "is shorter than 16 bytes"), ("a-long-enough-key-1,a", "is shorter than 16 bytes"),
        ])
    func `a key that is easily guessed is refused where others can try it`(key: String, problem: String) throws {
        #expect(
            try refusal(nil, ["MARTLET_API_KEY": key, "MARTLET_API_HOST": "::"])
                == """
                api.key \(problem), and api.host :: can be reached from elsewhere; make one with: openssl rand -hex 32 \
                (MARTLET_API_KEY)
                """)
        #expect(try load(nil, ["MARTLET_API_KEY": key]).warnings.isEmpty)
    }

    @Test func `a key of 16 bytes and a secret of 32 are taken on any host`() throws {
        let environment = [
            "MARTLET_API_KEY": "sixteen-bytes-ok", "MARTLET_API_HOST": "0.0.0.0", "MARTLET_CLIENT_HOST": "0.0.0.0",
            "MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": "0123456789abcdef0123456789abcdef",
        ]
        #expect(try load(nil, environment).warnings.isEmpty)
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
    func `hosts of this machine alone need no auth.mode`(host: String) throws {
        #expect(try refusal(nil, ["MARTLET_CLIENT_HOST": host]) == nil)
    }

    @Test(arguments: ["0.0.0.0", "::", "10.0.0.1", "gateway.example", "::ffff:10.0.0.1"])
    func `hosts that others reach need it`(host: String) throws {
        #expect(try refusal(nil, ["MARTLET_CLIENT_HOST": host])?.hasPrefix("auth.mode must be said") == true)
    }
}
