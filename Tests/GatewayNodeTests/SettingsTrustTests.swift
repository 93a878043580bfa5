import Foundation
import GatewayNode
import TestKit
import Testing

@Suite("Files and secrets that cannot be meant")
struct SettingsTrustTests {
    private func line(ofRedis query: String) throws -> String? {
        try refusal(
            nil, ["MARTLET_REDIS_URL": "rediss://:hunter2@localhost/0?\(query)", "MARTLET_API_KEY": "k"])
    }

    @Test func `files that redis_url names are looked at before a port is opened`() throws {
        let (made, scratch) = (try TestCertificates(), try Scratch())
        let (one, other) = (try made.files(for: "a.example"), try made.files(for: "b.example"))
        let text = try scratch.file("text", "no PEM\n")
        let broken = try scratch.file(
            "broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for (query, problem) in [
            ("ca=/none/ca.pem", "its ca cannot be read: No such file or directory"),
            ("ca=\(scratch.path)", "its ca is no regular file"),
            ("ca=\(text)", "its ca holds no certificate in PEM"),
            ("ca=\(broken)", "its ca holds no certificate in PEM"),
            ("cert=\(text)&key=\(one.key)", "its cert holds no certificate in PEM"),
            ("cert=\(one.certificate)&key=/none", "its key cannot be read: No such file or directory"),
            ("cert=\(one.certificate)&key=\(text)", "its key holds no private key in PEM"),
            ("cert=\(one.certificate)&key=\(other.key)", "its key is not that of the certificate in cert"),
            ("ca=", "its ca is empty"), ("cert=&key=\(one.key)", "its cert is empty"),
            ("cert=\(one.certificate)&key=", "its key is empty"), ("name=", "its name is empty"),
            ("name=10.0.0.7", "its name is no host name"), ("name=redis_1", "its name is no host name"),
        ] {
            let line = try #require(try self.line(ofRedis: query), "\(query) was taken")
            #expect(line.hasPrefix("redis.url cannot be used: \(problem)"), "\(line)")
            #expect(!line.contains("hunter2") && !line.contains("/none"), "\(line)")
        }
        let good = "ca=\(made.authorityFile)&cert=\(one.certificate)&key=\(one.key)&name=Redis.internal."
        #expect(try line(ofRedis: good) == nil)
    }

    @Test(arguments: ["auth", "webhooks", "hooks.authorize", "turn"])
    func `what everybody can read is no secret`(place: String) throws {
        let made = try TestCertificates()
        let certificate = try String(contentsOfFile: made.authorityFile, encoding: .utf8)
        let signer = TokenSigner.ed25519(id: "k")
        let bare = signer.pem.split(separator: "\n").dropFirst().dropLast().joined()
        let scratch = try Scratch()
        let base = ["MARTLET_AUTH_MODE": place == "auth" ? "jwt" : "none"]
        let variable = "MARTLET_\(place.uppercased().replacing(".", with: "_"))_SECRET"
        for text in [
            signer.pem, certificate, try TokenSigner.jwks([signer]), bare,
            "\n\(bare.prefix(20))\n\(bare.dropFirst(20))",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA a@b",
        ] {
            let file = try scratch.file("secret", text)
            let line = try refusal(nil, base.merging(["\(variable)_FILE": file]) { $1 })
            #expect(
                line?.hasPrefix("\(place).secret is a public key, a certificate or a set of keys") == true,
                "\(text): \(line ?? "taken")")
        }
        let secrets = [
            "0123456789abcdef0123456789abcdef", "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA",
            "public key certificate!",
        ]
        for secret in secrets {
            let line = try refusal(nil, base.merging([variable: secret]) { $1 })
            #expect(line?.contains("public key") != true)
        }
    }

    @Test func `a secret in the place of its file's path is not shown, a path that is wrong is`() throws {
        for (variable, value) in [
            ("MARTLET_AUTH_SECRET", "S3CR3T-0123456789abcdef-0123456789"), ("MARTLET_API_KEY", "S3CR3T/abc/def+0="),
            ("MARTLET_REDIS_URL", "redis://:S3CR3T@127.0.0.1:6379/0"), ("MARTLET_API_KEY", "/S3CR3T"),
            ("MARTLET_WEBHOOKS_SECRET", "S3CR3T\u{1}\n"), ("MARTLET_API_KEY", "./S3CR3T/x"),
        ] {
            let line = try refusal(nil, ["\(variable)_FILE": value])
            #expect(
                line == "\(variable)_FILE: there is no such file (it takes a file's path, not the secret itself)")
        }
        let scratch = try Scratch()
        for (path, problem) in [
            ("\(scratch.path)/none", "No such file or directory"), (scratch.path, "Is a directory"),
        ] {
            #expect(
                try refusal(nil, ["MARTLET_API_KEY_FILE": path])
                    == "MARTLET_API_KEY_FILE: \(path) cannot be read: \(problem)")
        }
    }
}
