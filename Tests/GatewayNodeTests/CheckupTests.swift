import Archive
import Foundation
import GatewayNode
import TestKit
import Testing

@Suite("The check of a configuration")
struct CheckupTests {
    private static func healthy() throws -> RedisServerProcess {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        options.maxMemory = "200mb"
        options.arguments = ["--maxmemory-policy", "noeviction"]
        return try RedisServerProcess(options)
    }

    private static func findings(
        redis url: String?, _ environment: [String: String] = [:], name: String? = nil
    ) async throws -> [Finding] {
        var variables = ["MARTLET_API_KEY": "0123456789abcdef", "MARTLET_CLIENT_PORT": "0", "MARTLET_API_PORT": "0"]
        variables["MARTLET_REDIS_URL"] = url
        let settings = try Settings.load(file: nil, environment: variables.merging(environment) { $1 }).settings
        return await Checkup(settings, name: name).findings()
    }

    private static func of(_ outcome: Finding.Outcome, _ findings: [Finding]) -> [String] {
        findings.filter { $0.outcome == outcome }.map(\.subject)
    }

    @Test func `a healthy Redis has a line for each thing, and no error`() async throws {
        let redis = try Self.healthy()
        let findings = try await Self.findings(redis: redis.url)
        #expect(Self.of(.error, findings) == [], "\(findings.map(\.line))")
        let good = [
            "client port", "api port", "redis", "redis version", "redis role", "redis policy", "redis memory",
            "redis persistence", "redis clock", "redis scripts", "redis pub/sub",
        ]
        #expect(Set(good).isSubset(of: Set(Self.of(.ok, findings))), "\(findings.map(\.line))")
        #expect(Self.of(.warning, findings).contains("redis replicas"))
        #expect(findings.allSatisfy { $0.outcome == .ok || $0.remedy != nil })
    }

    @Test func `a Redis that is away, or turns the password down, is one error that says so`() async throws {
        let away = try await Self.findings(redis: "redis://127.0.0.1:1")
        #expect(Self.of(.error, away) == ["redis"])
        var options = RedisServerProcess.Options()
        options.password = "right-and-hidden"
        let redis = try RedisServerProcess(options)
        let refused = try await Self.findings(redis: "unix://\(redis.socketPath)?password=wrong-and-hidden")
        #expect(Self.of(.error, refused) == ["redis"])
        #expect(refused.allSatisfy { !$0.line.contains("hidden") })
        #expect(refused.contains { $0.line.contains("WRONGPASS") }, "\(refused.map(\.line))")
        withExtendedLifetime(redis) {}
    }

    @Test func `guests whom no rule allows anything are a warning`() async throws {
        let (redis, on) = ("redis://127.0.0.1:1", ["MARTLET_AUTH_GUESTS": "true"])
        #expect(Self.of(.warning, try await Self.findings(redis: redis, on)).contains("auth.guests"))
        let without = try await Self.findings(redis: redis)
        #expect(!without.contains { $0.subject == "auth.guests" })
        let file = "auth: {guests: true}\nrooms: [{pattern: news, allowGuests: [join]}]"
        let settings = try load(file, ["MARTLET_REDIS_URL": redis, "MARTLET_API_KEY": "0123456789abcdef"]).settings
        #expect(Self.of(.ok, await Checkup(settings, name: nil).findings()).contains("auth.guests"))
        #expect(settings.summary(partitions: 64)[1].hasSuffix("; guests are let in"))
    }

    @Test func `a Redis that evicts, keeps nothing and has no limit is told so`() async throws {
        var options = RedisServerProcess.Options()
        options.arguments = ["--maxmemory-policy", "allkeys-lru", "--maxmemory", "0"]
        let redis = try RedisServerProcess(options)
        let findings = try await Self.findings(redis: redis.url)
        #expect(Self.of(.error, findings) == ["redis policy"])
        #expect(Set(["redis memory", "redis persistence"]).isSubset(of: Set(Self.of(.warning, findings))))
    }

    @Test func `a user of Redis without the channels is told what to allow`() async throws {
        let redis = try Self.healthy()
        _ = try await redis.cli("ACL", "SETUSER", "node", "on", ">secret-secret", "~*", "+@all", "resetchannels")
        let findings = try await Self.findings(
            redis: "unix://\(redis.socketPath)?user=node&password=secret-secret")
        #expect(Self.of(.error, findings) == ["redis acl", "redis pub/sub"], "\(findings.map(\.line))")
        #expect(findings.contains { $0.subject == "redis pub/sub" && $0.remedy?.contains("&m:*") == true })
    }

    @Test func `certificates are held to their dates and to the name that clients use`() async throws {
        let certificates = try TestCertificates()
        func tls(_ files: TestCertificates.Files) -> [String: String] {
            [
                "MARTLET_CLIENT_TLS_CERTIFICATE_FILE": files.certificate, "MARTLET_CLIENT_TLS_KEY_FILE": files.key,
            ]
        }
        let own = try certificates.files(for: "*.example.org")
        for (name, isFor) in [("gate.example.org", true), ("a.b.example.org", false), ("example.org", false)] {
            let findings = try await Self.findings(redis: nil, tls(own), name: name)
            #expect(Self.of(.error, findings) == (isFor ? [] : ["client.tls name"]), "\(name)")
            // It was made for two days.
            #expect(Self.of(.warning, findings).contains("client.tls"))
        }
        let old = try certificates.files(for: "a.example", off: .seconds(-10 * 86_400))
        #expect(Self.of(.error, try await Self.findings(redis: nil, tls(old))) == ["client.tls"])
    }

    @Test func `keys that cannot be had from an issuer are an error`() async throws {
        let certificates = try TestCertificates()
        let jwks = try TokenSigner.jwks([TokenSigner.ed25519(id: "k")])
        let server = try await KeyServer.start(certificates.vouched(for: "localhost"), body: jwks)
        var environment = [
            "MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_JWKS": server.url,
            "MARTLET_AUTH_CA_FILE": certificates.authorityFile,
        ]
        let good = try await Self.findings(redis: nil, environment)
        #expect(Self.of(.error, good) == [] && Self.of(.ok, good).contains("auth.jwks"))
        environment["MARTLET_AUTH_ALGORITHMS"] = "RS256"
        #expect(Self.of(.error, try await Self.findings(redis: nil, environment)) == ["auth.jwks"])
        environment["MARTLET_AUTH_CA_FILE"] = nil
        #expect(Self.of(.error, try await Self.findings(redis: nil, environment)) == ["auth.jwks"])
    }

    @Test func `a backend that decides is asked, and held to its answer`() async throws {
        let certificates = try TestCertificates()
        let cases: [(HookServer.Reply, Finding.Outcome)] = [
            (.text(#"{"allow":false}"#), .ok), (.text(#"{"allow":true,"userId":"x"}"#), .warning),
            (.text("<html>"), .error), (.status(404), .error), (.redirect("/login"), .error),
        ]
        for (reply, outcome) in cases {
            let server = try await HookServer.start(tls: certificates.vouched(for: "localhost")) { _, _ in reply }
            var environment = [
                "MARTLET_HOOKS_AUTHORIZE_URL": "https://localhost:\(server.port)/hooks",
                "MARTLET_HOOKS_AUTHORIZE_CA_FILE": certificates.authorityFile,
                "MARTLET_HOOKS_AUTHORIZE_TIMEOUT": "30s",
            ]
            func found() async throws -> Finding? {
                try await Self.findings(redis: nil, environment).first { $0.subject == "hooks.authorize" }
            }
            #expect(try await found()?.outcome == outcome, "\(reply)")
            environment["MARTLET_HOOKS_AUTHORIZE_CA_FILE"] = nil
            let strange = try await found()
            #expect(strange?.outcome == .error && strange?.detail.contains("hooks.authorize.caFile") == true)
        }
    }

    @Test func `a port that is taken is a warning, since a node may have it`() async throws {
        let redis = try Self.healthy()
        let node = try await NodeProcess.start(nodeId: "a", redisURL: redis.url)
        let findings = try await Self.findings(redis: redis.url, ["MARTLET_CLIENT_PORT": "\(node.clientPort)"])
        #expect(Self.of(.error, findings) == [])
        #expect(Self.of(.warning, findings).contains("client port"))
    }

    @Test func `a user of Redis who lacks a command is told which, and all of them are printed`() async throws {
        let redis = try Self.healthy()
        let command = try load("redis: {url: \"redis://127.0.0.1\"}\napi: {key: 0123456789abcdef}").settings
            .redisUserCommand
        #expect(
            command.hasPrefix("ACL SETUSER martlet on >PASSWORD resetkeys ~m:* resetchannels &m:* -@all +client|id"))
        _ = try await RedisServerProcess.cli(
            ["-s", redis.socketPath] + command.split(separator: " ").map(String.init))
        let url = "unix://\(redis.socketPath)?user=martlet&password=PASSWORD"
        #expect(Self.of(.error, try await Self.findings(redis: url)) == [])
        _ = try await redis.cli("ACL", "SETUSER", "martlet", "-xadd", "-client|kill", "resetkeys", "~x:*")
        let lacking = try await Self.findings(redis: url).filter { $0.subject == "redis acl" }
        #expect(lacking.map(\.outcome) == [.error])
        #expect(lacking.first?.detail == "its user lacks ~m:* +client|kill +xadd")
    }

    @Test func `the archive's database is reached, and its tables looked at without making any`() async throws {
        let scratch = try Scratch()
        let file = "\(scratch.path)/archive.db"
        func archive() async throws -> [Finding] {
            try await Self.findings(redis: nil, ["MARTLET_ARCHIVE_URL": "sqlite://\(file)"])
                .filter { $0.subject == "archive" }
        }
        #expect(try await archive().map(\.outcome) == [.warning])
        #expect(!FileManager.default.fileExists(atPath: file))
        _ = try scratch.file("archive.db", "")
        #expect(try await archive().first?.detail.hasSuffix("answers, and has no tables") == true)
        _ = try await ArchiveStore(ArchiveURL("sqlite://\(file)"))
            .perform { database throws(ArchiveError) in try database.migrate() }
        #expect(try await archive().map(\.outcome) == [.ok])
        _ = try scratch.file("archive.db", String(repeating: "no database", count: 100))
        #expect(try await archive().map(\.outcome) == [.error])
    }
}
