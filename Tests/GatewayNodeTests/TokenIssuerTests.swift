import Foundation
import GatewayCore
import GatewayNode
import Logging
import TestKit
import TestSupport
import Testing

private let now: Int64 = 1_700_000_000_000

/// Tokens in the shapes that services give them, signed by keys of our own.
@Suite("Issuers of tokens")
struct TokenIssuerTests {
    private static let rsa = Result { try TokenSigner.rsa(id: "2024-key") }
    private static let curve = TokenSigner.p256(id: "supabase-1")
    private static let secret = "super-secret-jwt-token-with-at-least-32-characters"

    /// Settings as an operator writes them for each service, a token of it, and what it says of its user.
    private struct Shape: Sendable, CustomTestStringConvertible {
        let service: String
        let settings: String
        let algorithm: String
        let claims: String
        let user: String
        var info = "{}"

        var testDescription: String { service }
    }

    private static let shapes = [
        Shape(
            service: "Auth0",
            settings: "issuer: https://ours.eu.auth0.com/, audience: https://gateway.example, jwks: JWKS",
            algorithm: "RS256",
            claims: """
                {"https://gateway.example/roles":["x"],"iss":"https://ours.eu.auth0.com/","sub":"auth0|5f7c8ec7c33c6c004bbafe82",
                "aud":["https://gateway.example","https://ours.eu.auth0.com/userinfo"],"iat":1700000000,"exp":1700086400,
                "scope":"openid profile","azp":"my_client_id"}
                """, user: "auth0|5f7c8ec7c33c6c004bbafe82"),
        Shape(
            service: "Keycloak",
            settings: """
                issuer: https://id.example/realms/r, audience: web, audienceClaim: azp, jwks: JWKS, \
                userClaim: preferred_username, infoClaims: [name, email_verified]
                """,
            algorithm: "RS256",
            claims: """
                {"exp":1700000300,"iat":1700000000,"auth_time":1699999999,"jti":"c7","iss":"https://id.example/realms/r",
                "aud":"account","sub":"f:1234:alice","typ":"Bearer","azp":"web","session_state":"s","acr":"1",
                "realm_access":{"roles":["offline_access"]},"resource_access":{"account":{"roles":["view-profile"]}},
                "scope":"profile email","email_verified":true,"name":"Alice \\u00c4","preferred_username":"alice"}
                """, user: "alice", info: #"{"name":"Alice \u00c4","email_verified":true}"#),
        Shape(
            service: "Firebase",
            settings: """
                issuer: https://securetoken.google.com/project-1, audience: project-1, algorithms: [RS256], jwks: JWKS, \
                infoClaims: [name, picture]
                """,
            algorithm: "RS256",
            claims: """
                {"name":"Bob","picture":"https://a.example/b.png","iss":"https://securetoken.google.com/project-1",
                "aud":"project-1","auth_time":1699999990,"user_id":"dHy7","sub":"dHy7","iat":1700000000,"exp":1700003600,
                "firebase":{"identities":{"google.com":["1"]},"sign_in_provider":"google.com"}}
                """, user: "dHy7", info: #"{"name":"Bob","picture":"https://a.example/b.png"}"#),
        Shape(
            service: "Supabase, by its secret",
            settings: "issuer: https://ref.supabase.co/auth/v1, audience: authenticated, secret: \(secret)",
            algorithm: "HS256",
            claims: """
                {"aud":"authenticated","exp":1700003600,"iat":1700000000,"iss":"https://ref.supabase.co/auth/v1",
                "sub":"6c4d6a3e-9d5f-4b41-8b0f-2f4c4e1f0c53","email":"a@b.example","phone":"",
                "app_metadata":{"provider":"email"},"user_metadata":{"name":"A"},"role":"authenticated","aal":"aal1",
                "session_id":"7c","is_anonymous":false}
                """, user: "6c4d6a3e-9d5f-4b41-8b0f-2f4c4e1f0c53"),
        Shape(
            service: "Supabase, by its signing key",
            settings: """
                issuer: https://ref.supabase.co/auth/v1, audience: authenticated, jwks: JWKS, infoClaims: [user_metadata]
                """,
            algorithm: "ES256",
            claims: """
                {"aud":"authenticated","exp":1700003600,"iat":1700000000,"iss":"https://ref.supabase.co/auth/v1",
                "sub":"6c4d6a3e","role":"authenticated","user_metadata":{"name":"A"}}
                """, user: "6c4d6a3e", info: #"{"user_metadata":{"name":"A"}}"#),
        Shape(
            service: "Cognito, an identity",
            settings: """
                issuer: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x, audience: client7, jwks: JWKS, \
                userClaim: "cognito:username"
                """,
            algorithm: "RS256",
            claims: """
                {"sub":"aaaa-bbbb","cognito:groups":["g"],"email_verified":true,"cognito:username":"carol",
                "iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x","aud":"client7","token_use":"id",
                "auth_time":1700000000,"exp":1700003600,"iat":1700000000}
                """, user: "carol"),
        Shape(
            service: "Cognito, an access",
            settings: """
                issuer: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x, audience: client7, \
                audienceClaim: client_id, jwks: JWKS
                """,
            algorithm: "RS256",
            claims: """
                {"sub":"aaaa-bbbb","iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x","client_id":"client7",
                "token_use":"access","scope":"aws.cognito.signin.user.admin","exp":1700003600,"iat":1700000000,
                "username":"carol"}
                """, user: "aaaa-bbbb"),
    ]

    private static func signer(_ algorithm: String) throws -> TokenSigner {
        switch algorithm {
        case "HS256": .secret(secret.utf8)
        case "ES256": curve
        default: try rsa.get()
        }
    }

    /// What a node with these settings says of tokens, at `now` plus some seconds.
    private static func verifier(_ settings: Settings, later seconds: Int64 = 0) throws -> JWTVerifier {
        JWTVerifier(
            issuers: try settings.issuers(
                fetch: { _ throws(KeyProblem) in fatalError("nothing is fetched here") },
                now: { MonotonicTime(nanoseconds: 0) }),
            now: { now + seconds * 1000 })
    }

    private static func answer(_ verifier: JWTVerifier, _ token: String) async -> String? {
        do {
            _ = try await verifier.verify(token)
            return nil
        } catch {
            return error.message
        }
    }

    @Test(arguments: shapes)
    private func `tokens of the services that people have are taken, alone and among several`(shape: Shape) async throws
    {
        let scratch = try Scratch()
        let set = try TokenSigner.jwks([TokenSigner.rsa(id: "another"), Self.rsa.get(), Self.curve])
        let jwks = try scratch.file("jwks.json", set)
        let written = shape.settings.replacingOccurrences(of: "JWKS", with: jwks)
        let several = "auth:\n  mode: jwt\n  issuers:\n  - {issuer: other, jwks: \(jwks)}\n  - {\(written)}\n"
        let one = "auth: {mode: jwt, \(written)}\n"
        let signer = try Self.signer(shape.algorithm)
        let token = try signer.token(shape.claims, by: shape.algorithm)
        for yaml in [one, several] {
            let settings = try load(yaml).settings
            let identity = try await Self.verifier(settings).verify(token)
            #expect(identity.userId.string == shape.user)
            #expect(String(decoding: identity.info, as: UTF8.self) == shape.info)
            let late = await Self.answer(try Self.verifier(settings, later: 100_000), token)
            #expect(late == "the token has expired")
            // Another project's token by the same keys.
            for (from, to) in [("project-1", "project-2"), ("client7", "client8"), ("authenticated", "anon")]
            where shape.claims.contains(from) {
                let other = shape.claims.replacingOccurrences(of: from, with: to)
                #expect(
                    await Self.answer(try Self.verifier(settings), try signer.token(other, by: shape.algorithm)) != nil
                )
            }
            let forged = try TokenSigner.secret(signer.pem.utf8, id: signer.id).token(shape.claims, by: "HS256")
            #expect(await Self.answer(try Self.verifier(settings), forged) != nil)
        }
    }

    @Test func `a key file may come to hold another kind of key`() async throws {
        let scratch = try Scratch()
        let (old, new) = (TokenSigner.ed25519(), TokenSigner.p256())
        let file = try scratch.file("k.pem", old.pem)
        let issuers = try load("auth: {mode: jwt, keyFile: \(file)}\n").settings.issuers(
            fetch: { _ throws(KeyProblem) in fatalError("nothing is fetched here") },
            now: { MonotonicTime(nanoseconds: 0) })
        let verifier = JWTVerifier(issuers: issuers, now: { now })
        let claims = #"{"sub":"u","exp":1700000060}"#
        #expect(await Self.answer(verifier, try old.token(claims, by: "EdDSA")) == nil)
        _ = try scratch.file("k.pem", new.pem)
        let keys = issuers[0].keys
        async let reading: Void = keys.run(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        keys.renew()
        try await eventually { await Self.answer(verifier, try new.token(claims, by: "ES256")) == nil }
        keys.end()
        await reading
        let forged = try TokenSigner.secret(new.pem.utf8).token(claims, by: "HS256")
        #expect(await Self.answer(verifier, forged)?.hasPrefix("the token is not signed with ") == true)
    }

    @Test func `each of several issuers is held to its own keys`() async throws {
        let scratch = try Scratch()
        let (a, b) = (TokenSigner.ed25519(id: "k"), TokenSigner.ed25519(id: "k"))
        let yaml = """
            auth:
              mode: jwt
              userClaim: uid
              issuers:
              - {issuer: a, jwks: \(try scratch.file("a.json", TokenSigner.jwks([a])))}
              - {issuer: b, keyFile: \(try scratch.file("b.pem", b.pem)), userClaim: sub, audience: us}
            """
        let verifier = try Self.verifier(load(yaml).settings)
        let byA = #"{"iss":"a","uid":"u","exp":1700000060}"#
        let byB = #"{"iss":"b","sub":"u","aud":["x","us"],"exp":1.70000006e9,"nbf":1700000000.9}"#
        #expect(await Self.answer(verifier, try a.token(byA, by: "EdDSA")) == nil)
        #expect(await Self.answer(verifier, try b.token(byB, by: "EdDSA")) == nil)
        #expect(await Self.answer(verifier, try b.token(byA, by: "EdDSA")) == "the token's signature is wrong")
        #expect(await Self.answer(verifier, try a.token(byB, by: "EdDSA")) == "the token's signature is wrong")
        for claims in [#"{"uid":"u","exp":1700000060}"#, #"{"iss":"c","uid":"u","exp":1700000060}"#, #"{"iss":["a"]}"#]
        {
            let said = await Self.answer(verifier, try a.token(claims, by: "EdDSA"))
            #expect(said == "the token's iss is not one of the expected ones")
        }
        let early = #"{"iss":"a","uid":"u","exp":1700000060,"nbf":1700000002}"#
        #expect(await Self.answer(verifier, try a.token(early, by: "EdDSA")) == "the token is not valid yet")
    }

    @Test func `a clock that is off is borne as far as auth.leeway says`() async throws {
        let secret = TokenSigner.secret(Self.secret.utf8)
        let yaml = "auth: {mode: jwt, secret: \(Self.secret), leeway: 30s}\n"
        let settings = try load(yaml).settings
        let token = try secret.token(#"{"sub":"a","nbf":1700000029,"exp":1700000060}"#, by: "HS256")
        for (seconds, said) in [
            (-2, "the token is not valid yet"), (0, nil), (60, nil), (89, nil), (91, "the token has expired"),
        ] as [(Int64, String?)] {
            #expect(await Self.answer(try Self.verifier(settings, later: seconds), token) == said, "\(seconds)")
        }
    }

    @Test func `what is shown of a user is what auth.infoClaims names, within 2048 bytes`() async throws {
        let secret = TokenSigner.secret(Self.secret.utf8)
        let settings = try load("auth: {mode: jwt, secret: \(Self.secret), infoClaims: [b, a, none]}\n").settings
        func info(_ claims: String) async throws -> String {
            let token = try secret.token(#"{"sub":"a","exp":1700000060,\#(claims)}"#, by: "HS256")
            return String(decoding: try await Self.verifier(settings).verify(token).info, as: UTF8.self)
        }
        #expect(try await info(#""a":[1, 2.50],"info":{"x":1},"b":null"#) == #"{"b":null,"a":[1, 2.50]}"#)
        #expect(try await info(#""info":{"x":1}"#) == "{}")
        let long = String(repeating: "x", count: 2050)
        let token = try secret.token(#"{"sub":"a","exp":1700000060,"a":"\#(long)"}"#, by: "HS256")
        #expect(await Self.answer(try Self.verifier(settings), token) == "the token's info is longer than 2048 bytes")
    }

    @Test(
        arguments: [
            ("{secret: SECRET, jwks: https://a/}", "auth has secret and jwks: its keys come from one of them"),
            (
                "{jwks: http://a/}",
                "auth.jwks = \"http://a/\" is neither a file nor an https:// URL (martlet.yaml, line 1)"
            ),
            ("{jwks: /none}", "auth.jwks /none cannot be read: No such file or directory"),
            ("{keyFile: /none}", "auth.keyFile /none cannot be read: No such file or directory"),
            ("{keyFile: /etc/hostname}", "auth.keyFile holds no public key in PEM"),
            ("{jwks: /etc/hostname}", "auth.jwks is no JWKS: an object with a list \"keys\""),
            (
                "{jwks: https://a/, algorithms: [RS256, HS256]}",
                "auth.algorithms holds HS256, which needs a secret: whoever reads a public key could sign with it"
            ),
            (
                "{secret: SECRET, algorithms: [RS256]}",
                "auth.algorithms holds RS256, which no secret signs with: it needs keyFile or jwks"
            ),
            ("{keyFile: KEY, algorithms: [RS256]}", "auth.algorithms fits none of the keys in auth.keyFile"),
            (
                "{secret: \"SECRET,SECRET,SECRET\"}",
                "auth.secret holds more than two: the old one and the new one are what a change needs"
            ),
            (
                "{secret: SECRET, userClaim: 'a b'}",
                "auth.userClaim = \"a b\" is no name of a claim (martlet.yaml, line 1)"
            ),
            (
                "{secret: SECRET, infoClaims: ['a\"']}",
                "auth.infoClaims = \"a\"\" is no name of a claim (martlet.yaml, line 1)"
            ),
            (
                "{secret: SECRET, caFile: /none}",
                "auth.caFile = \"/none\" is no file that holds certificates in PEM (martlet.yaml, line 1)"
            ),
            ("{issuers: {}}", "auth.issuers is not a list (martlet.yaml, line 1)"),
            (
                "{issuers: [{jwks: https://a/}]}",
                "auth.issuers[0] has no issuer, by which its tokens are known (martlet.yaml, line 1)"
            ),
            (
                "{issuers: [{issuer: a}]}",
                "auth.issuers[0].secret is missing: auth.mode jwt needs it, or keyFile or jwks in its place"
            ),
            (
                "{issuers: [{issuer: a, jwks: https://a/}, {issuer: a, secret: SECRET}]}",
                "auth.issuers[1].issuer is that of another entry too"
            ),
            (
                "{issuers: [{issuer: a, secret: short}]}",
                "auth.issuers[0].secret is shorter than 16 bytes; make one with: openssl rand -hex 32 (martlet.yaml, line 1)"
            ),
            (
                "{secret: SECRET, issuers: [{issuer: a, jwks: https://a/}]}",
                "auth.secret has no place beside auth.issuers: each of those says its own"
            ),
            (
                "{issuers: [{issuer: a, jwsk: x}]}",
                "auth.issuers[0].jwsk is not a key, did you mean jwks? (martlet.yaml, line 1)"
            ),
        ])
    func `keys that do not fit together are refused at the start`(text: String, problem: String) throws {
        let scratch = try Scratch()
        let key = try scratch.file("key.pem", Self.curve.pem)
        let yaml = text.replacingOccurrences(of: "SECRET", with: Self.secret)
            .replacingOccurrences(of: "KEY", with: key)
        #expect(try refusal("auth: \(yaml)\n", ["MARTLET_AUTH_MODE": "jwt"]) == problem)
    }
}
