import Foundation
import GatewayCore
import GatewayNode
import TestKit
import Testing

private let claims = #"{"sub":"a","exp":1700000060}"#
private let now: Int64 = 1_700_000_000_000
private let secret = "0123456789abcdef0123456789abcdef"

/// Keys of each kind, made once.
private enum Signers {
    static let secret = TokenSigner.secret("0123456789abcdef0123456789abcdef".utf8)
    static let rsa = Result { try TokenSigner.rsa(id: "r") }
    static let p256 = TokenSigner.p256(id: "e2")
    static let p384 = TokenSigner.p384(id: "e3")
    static let p521 = TokenSigner.p521(id: "e5")
    static let ed25519 = TokenSigner.ed25519(id: "d")

    static var all: [TokenSigner] { get throws { [try rsa.get(), p256, p384, p521, ed25519] } }

    static func of(_ algorithm: SignatureAlgorithm) throws -> TokenSigner {
        switch algorithm {
        case .hs256, .hs384, .hs512: secret
        case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: try rsa.get()
        case .es256: p256
        case .es384: p384
        case .es512: p521
        case .edDSA: ed25519
        }
    }
}

/// What one who knows these keys and believes these algorithms says of a token: nil where it is good.
private func refusal(
    _ token: String, _ keys: KeySet, _ algorithms: Set<SignatureAlgorithm> = Set(SignatureAlgorithm.allCases)
) async -> String? {
    let issuer = TokenIssuer(algorithms: algorithms, keys: KeySource(keys, name: "keys"))
    do {
        _ = try await JWTVerifier(issuers: [issuer], now: { now }).verify(token)
        return nil
    } catch {
        return error.message
    }
}

@Suite("Signatures of tokens")
struct TokenAlgorithmTests {
    @Test(arguments: SignatureAlgorithm.allCases)
    func `each algorithm is believed of a key that can do it, and of no other`(algorithm: SignatureAlgorithm)
        async throws
    {
        let signer = try Signers.of(algorithm)
        let token = try signer.token(claims, by: algorithm.rawValue)
        let keys =
            algorithm.isSymmetric
            ? KeySet(secrets: [secret]) : try KeySet(jwks: TokenSigner.jwks([signer]).utf8)
        #expect(await refusal(token, keys) == nil)
        let others = Set(SignatureAlgorithm.allCases).subtracting([algorithm])
        #expect(await refusal(token, keys, others)?.hasPrefix("the token is not signed with ") == true)
        let parts = token.split(separator: ".")
        let forged = "\(parts[0]).\(TokenSigner.encode(Data(#"{"sub":"b","exp":1700000060}"#.utf8))).\(parts[2])"
        #expect(await refusal(forged, keys) == "the token's signature is wrong")
        for other in SignatureAlgorithm.allCases where other != algorithm {
            // The same signature under another name.
            let renamed = try signer.token(claims, by: algorithm.rawValue, named: other.rawValue)
            #expect(await refusal(renamed, keys) != nil, "\(other)")
        }
    }

    @Test func `a public key as the secret of HS256 opens nothing`() async throws {
        for signer in try Signers.all {
            for text in [signer.pem, signer.pem.trimmingCharacters(in: .newlines), try signer.jwk()] {
                let forger = TokenSigner.secret(text.utf8, id: signer.id)
                let token = try forger.token(claims, by: "HS256")
                let anonymous = try TokenSigner.secret(text.utf8).token(claims, by: "HS256")
                #expect(
                    await refusal(token, try KeySet(jwks: TokenSigner.jwks([signer]).utf8))
                        == "the token's key does not sign with HS256")
                #expect(
                    await refusal(anonymous, try KeySet(pem: signer.pem))
                        == "the token's key does not sign with HS256")
            }
        }
    }

    @Test(arguments: ["none", "None", "NONE", "", "hs256", "RS256 ", "RSA-OAEP"])
    func `no signature, and names that are none, are refused before any key is looked at`(name: String) async throws {
        let token = try Signers.secret.token(claims, by: "HS256", named: name)
        let refused = await refusal(token, KeySet(secrets: [secret]), [.hs256])
        #expect(refused == "the token is not signed with HS256")
        let parts = token.split(separator: ".")
        #expect(await refusal("\(parts[0]).\(parts[1]).", KeySet(secrets: [secret])) != nil)
    }

    @Test func `a key that says what it signs with signs with nothing else`() async throws {
        let rsa = try Signers.rsa.get()
        let keys = try KeySet(jwks: #"{"keys":[\#(rsa.jwk(#","alg":"RS256","use":"sig""#))]}"#.utf8)
        #expect(await refusal(try rsa.token(claims, by: "RS256"), keys) == nil)
        let other = await refusal(try rsa.token(claims, by: "PS256"), keys)
        #expect(other == "the token's key does not sign with PS256")
    }

    @Test func `both secrets of a rotation are believed, and none after it`() async throws {
        let (old, new) = ("an old secret of some 32 bytes..", "a new secret of some 32 bytes...")
        let (byOld, byNew) = (
            try TokenSigner.secret(old.utf8).token(claims, by: "HS256"),
            try TokenSigner.secret(new.utf8).token(claims, by: "HS256")
        )
        for token in [byOld, byNew] { #expect(await refusal(token, KeySet(secrets: [new, old])) == nil) }
        #expect(await refusal(byOld, KeySet(secrets: [new])) == "the token's signature is wrong")
    }

    @Test func `keys of each kind are read from PEM, bare or in a certificate`() async throws {
        for algorithm in [SignatureAlgorithm.rs256, .es256, .es384, .es512, .edDSA] {
            let signer = try Signers.of(algorithm)
            let keys = try KeySet(pem: "a comment\n" + signer.pem + "\n" + Signers.p256.pem)
            #expect(keys.count == 2)
            #expect(await refusal(try signer.token(claims, by: algorithm.rawValue), keys) == nil, "\(algorithm)")
        }
        let certificates = try TestCertificates()
        let keys = try KeySet(pem: String(contentsOfFile: certificates.authorityFile, encoding: .utf8))
        #expect(keys.algorithms == [.es256])
    }

    @Test(
        arguments: [
            ("", "holds no public key in PEM"), ("ssh-ed25519 AAAA", "holds no public key in PEM"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "holds a public key that is none of"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "has a block without its END"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "holds a private key"),
            ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", "holds a private key"),
        ])
    func `what is no key in PEM is refused in words`(text: String, problem: String) {
        let error = #expect(throws: KeyProblem.self) { try KeySet(pem: text) }
        #expect(error?.description.hasPrefix(problem) == true, "\(error?.description ?? "")")
    }

    @Test func `of a JWKS what cannot sign tokens is passed over`() async throws {
        let good = Signers.p256
        let odd = [
            try Signers.secret.jwk(), try Signers.p384.jwk(#","use":"enc""#),
            try Signers.p521.jwk(#","key_ops":["encrypt"]"#), try Signers.ed25519.jwk(#","alg":"ES256""#),
            #"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, #"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            #"{"kty":7,"kid":[]}"#, "{}", "null", "[]", #""x""#, "1", try good.jwk(#","alg":7,"x5c":{}"#),
        ]
        let keys = try KeySet(jwks: #"{"keys":[\#(odd.joined(separator: ","))],"more":1}"#.utf8)
        #expect(keys.count == 1)
        #expect(await refusal(try good.token(claims, by: "ES256"), keys) == nil)
    }

    @Test(
        arguments: [
            ("", "is no JWKS: an object with a list \"keys\""), ("[]", "is no JWKS: an object with a list \"keys\""),
            (#"{"keys":{}}"#, "is no JWKS: an object with a list \"keys\""),
            ("<html>", "is no JWKS: an object with a list \"keys\""),
            (#"{"keys":[]}"#, "holds no key that signs tokens"),
            (#"{"keys":[\#(String(repeating: "{},", count: 100)){}]}"#, "holds no key that signs tokens"),
        ])
    func `what is no JWKS is refused in words`(text: String, problem: String) {
        let error = #expect(throws: KeyProblem.self) { try KeySet(jwks: text.utf8) }
        #expect(error?.description.hasPrefix(problem) == true, "\(error?.description ?? "")")
    }

    @Test func `a JWKS holds a hundred keys that sign, and any number of others`() throws {
        let key = try Signers.p256.jwk()
        let set = { (signing: Int, others: Int) in
            let all =
                Array(repeating: key, count: signing) + Array(repeating: #"{"kty":"oct","k":"AA"}"#, count: others)
            return try KeySet(jwks: #"{"keys":[\#(all.joined(separator: ","))]}"#.utf8)
        }
        #expect(try set(100, 200).count == 100)
        let error = #expect(throws: KeyProblem.self) { try set(101, 0) }
        #expect(error?.description == "holds more than 100 keys that sign tokens")
    }

    @Test func `the examples of the standards are read as they say`() async throws {
        // RFC 7515, appendix A.3, and RFC 8037, appendix A.4: their payloads name nobody, which shows once the signature is good.
        let curve = """
            {"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
            {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
            """
        let keys = try KeySet(jwks: curve.utf8)
        let es256 = """
            eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0\
            cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q
            """
        #expect(await refusal(es256, keys) == "the token's sub is missing or no text")
        let edDSA = """
            eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR\
            4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg
            """
        #expect(await refusal(edDSA, keys) == "the token cannot be read")
    }

    @Test func `a token without a key's name costs no more than four signatures`() async throws {
        let signers = (0..<5).map { _ in TokenSigner.p256() }
        let keys = try KeySet(jwks: TokenSigner.jwks(signers).utf8)
        #expect(await refusal(try signers[3].token(claims, by: "ES256"), keys) == nil)
        #expect(await refusal(try signers[4].token(claims, by: "ES256"), keys) == "the token's signature is wrong")
    }

    @Test func `a token of 100 kB is refused unread`() async {
        let long = String(repeating: "A", count: 100_000)
        let said = await refusal("\(long).\(long).\(long)", KeySet(secrets: [secret]))
        #expect(said == "the token is longer than 16384 bytes")
    }
}
