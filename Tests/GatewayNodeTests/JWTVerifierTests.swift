import Foundation
import GatewayCore
import GatewayNode
import JWTKit
import Testing

private let secret = "0123456789abcdef0123456789abcdef"
private let now: Int64 = 1_700_000_000

private func base64URL(_ bytes: some Sequence<UInt8>) -> String {
    Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
        .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
}

/// A token signed by the tests' own hand, so that header and claims can be anything.
private func token(
    _ claims: String, header: String = #"{"alg":"HS256","typ":"JWT"}"#, secret: String = secret
) async throws -> String {
    let signed = "\(base64URL(header.utf8)).\(base64URL(claims.utf8))"
    // Another library's hand than the verifier's.
    let key = try await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256).getKey()
    return "\(signed).\(base64URL(try key.sign(Data(signed.utf8))))"
}

/// What a verifier at `now` answers, or the message of its refusal.
private func verify(
    _ token: String, secret: String = secret, issuer: String? = nil, audience: String? = nil,
    leeway: Duration = .seconds(1), now: Int64 = now * 1000
) async -> Result<Identity, TokenError> {
    let keys = KeySource(KeySet(secrets: [secret]), name: "auth.secret")
    let verifier = JWTVerifier(
        issuers: [
            TokenIssuer(name: issuer, audience: audience, algorithms: [.hs256], keys: keys, leeway: leeway)
        ], now: { now })
    do {
        return .success(try await verifier.verify(token))
    } catch {
        return .failure(error)
    }
}

extension Result where Failure == TokenError {
    fileprivate var refusal: String? {
        if case .failure(let error) = self { error.message } else { nil }
    }
}

@Suite("Tokens")
struct JWTVerifierTests {
    @Test func `a good token names its user and its end`() async throws {
        let identity = try await verify(try await token(#"{"sub":"auth0|7","exp":1700000060.9,"iat":1,"x":{"y":[1]}}"#))
            .get()
        #expect(identity.userId == UserID("auth0|7"))
        #expect(identity.expires == 1_700_000_060)
        #expect(identity.grants == nil)
    }

    @Test func `it tells when it was issued; what cannot be read as a time is older than all`() async throws {
        for (claim, issued) in [
            (#""iat":1700000000.25,"#, 1_700_000_000_250), (#""iat":0,"#, 0), ("", 0), (#""iat":-5,"#, 0),
            (#""iat":"x","#, 0), (#""iat":1e300,"#, 0),
        ] {
            let identity = try await verify(try await token(#"{\#(claim)"sub":"a","exp":1700000060}"#)).get()
            #expect(identity.issuedAt == Int64(issued), "\(claim)")
        }
    }

    @Test func `its rooms become grants`() async throws {
        let claims = #"{"sub":"a","exp":1700000060,"rooms":{"lesson-*":["join","publish"],"x":[]}}"#
        let grants = try #require(try await verify(try await token(claims)).get().grants)
        let lesson = try #require(RoomName(room: "lesson-1"))
        let other = try #require(RoomName(room: "x"))
        #expect(grants.allows(.join, in: lesson) && grants.allows(.publish, in: lesson))
        #expect(!grants.allows(.history, in: lesson) && !grants.allows(.join, in: other))
    }

    @Test(
        arguments: [
            (#"{"sub":"a","exp":1700000060}"#, "{}"),
            (#"{"sub":"a","exp":1700000060,"x":{"info":{"no":1}}}"#, "{}"),
            (
                #"{"info":{ "name":"\u00c9lodie / é","n":12345678901234567890,"b":1e400,"a":[] } ,"sub":"a","exp":1700000060}"#,
                #"{ "name":"\u00c9lodie / é","n":12345678901234567890,"b":1e400,"a":[] }"#
            ),
            (#"{"sub":"a","exp":1700000060,"inf\u006f":{}}"#, "{}"),
            (
                #"{"sub":"a","exp":1700000060,"info":{"x":"\#(String(repeating: "x", count: 2040))"}}"#,
                #"{"x":"\#(String(repeating: "x", count: 2040))"}"#
            ),
        ])
    func `its info is kept byte for byte, and is empty where the token has none`(claims: String, info: String)
        async throws
    {
        let identity = try await verify(try await token(claims)).get()
        #expect(String(decoding: identity.info, as: UTF8.self) == info)
    }

    @Test(
        arguments: [
            (#"{"exp":1700000060}"#, "the token's sub is missing or no text"),
            (#"{"sub":7,"exp":1700000060}"#, "the token's sub is missing or no text"),
            (#"{"sub":"","exp":1700000060}"#, "the token's sub \(UserID.rule)"),
            (#"{"sub":"a\u0000","exp":1700000060}"#, "the token's sub \(UserID.rule)"),
            (#"{"sub":"system","exp":1700000060}"#, "the token's sub \(UserID.rule)"),
            (#"{"sub":"\u202eecila","exp":1700000060}"#, "the token's sub \(UserID.rule)"),
            (#"{"sub":" ","exp":1700000060}"#, "the token's sub \(UserID.rule)"),
            (#"{"sub":"a"}"#, "the token has no exp"),
            (#"{"sub":"a","exp":null}"#, "the token's exp is not a time in seconds"),
            (#"{"sub":"a","exp":"1700000060"}"#, "the token's exp is not a time in seconds"),
            (#"{"sub":"a","exp":1e300}"#, "the token's exp is not a time in seconds"),
            (#"{"sub":"a","exp":-1e300}"#, "the token's exp is not a time in seconds"),
            (#"{"sub":"a","exp":1699999998}"#, "the token has expired"),
            (#"{"sub":"a","exp":-5}"#, "the token has expired"),
            (#"{"sub":"a","exp":1700000060,"nbf":1700000002}"#, "the token is not valid yet"),
            (#"{"sub":"a","exp":1700000060,"nbf":[]}"#, "the token's nbf is not a time in seconds"),
            (#"{"sub":"a","exp":1700000060,"rooms":["x"]}"#, "the token's rooms is not an object of lists of actions"),
            (
                #"{"sub":"a","exp":1700000060,"rooms":{"x":"join"}}"#,
                "the token's rooms is not an object of lists of actions"
            ),
            (
                #"{"sub":"a","exp":1700000060,"rooms":{"a b":["join"]}}"#,
                "the token's rooms has a key that is no pattern of room names"
            ),
            (
                #"{"sub":"a","exp":1700000060,"rooms":{"x":["fly"]}}"#,
                "the token's rooms allows an action other than join, publish, presence, history"
            ),
            (#"{"sub":"a","exp":1700000060,"info":"x"}"#, "the token's info is not an object"),
            (#"{"sub":"a","exp":1700000060,"info":null}"#, "the token's info is not an object"),
            (
                #"{"sub":"a","exp":1700000060,"info":{"x":"\#(String(repeating: "x", count: 2041))"}}"#,
                "the token's info is longer than 2048 bytes"
            ),
            ("[]", "the token cannot be read"), ("", "the token is not three base64url parts"),
            ("{", "the token cannot be read"),
        ])
    func `claims that are not as they must be are refused by name`(claims: String, message: String) async throws {
        #expect(await verify(try await token(claims)).refusal == message)
    }

    @Test(
        arguments: [
            (#"{"alg":"none"}"#, "the token is not signed with HS256"),
            (#"{"alg":"None"}"#, "the token is not signed with HS256"),
            (#"{"alg":"HS384"}"#, "the token is not signed with HS256"),
            (#"{"alg":"RS256"}"#, "the token is not signed with HS256"),
            (#"{"typ":"JWT"}"#, "the token's header cannot be read"),
            (#"{"alg":7}"#, "the token's header cannot be read"),
            ("[]", "the token's header cannot be read"),
            (#"{"alg":"HS256","crit":["exp"]}"#, "the token demands extensions that are not known"),
        ])
    func `headers other than HS256's are refused before the signature is looked at`(header: String, message: String)
        async throws
    {
        #expect(await verify(try await token(#"{"sub":"a","exp":1700000060}"#, header: header)).refusal == message)
    }

    @Test func `a key id that nobody knows changes nothing`() async throws {
        let kid = try await token(#"{"sub":"a","exp":1700000060}"#, header: #"{"alg":"HS256","kid":"x","x5c":["y"]}"#)
        #expect(try await verify(kid).get().userId == UserID("a"))
    }

    @Test func `another secret, a changed claim, a missing or foreign signature are refused`() async throws {
        let good = try await token(#"{"sub":"a","exp":1700000060}"#)
        let parts = good.split(separator: ".").map(String.init)
        let wrong = "the token's signature is wrong"
        #expect(await verify(try await token(#"{"sub":"a","exp":1700000060}"#, secret: secret + "x")).refusal == wrong)
        let forged = base64URL(#"{"sub":"b","exp":1700000060}"#.utf8)
        #expect(await verify("\(parts[0]).\(forged).\(parts[2])").refusal == wrong)
        #expect(await verify("\(parts[0]).\(parts[1]).AAAA").refusal == wrong)
        #expect(await verify("\(parts[0]).\(parts[1]).").refusal == "the token is not three base64url parts")
    }

    @Test(arguments: ["", "a", "a.b", "a.b.c.d", "a.b.c ", "é.b.c", "a.b.c", "....."])
    func `what is no token is refused`(text: String) async {
        #expect(await verify(text).refusal != nil)
    }

    @Test func `a token longer than 16 KiB is refused unread`() async throws {
        let claims = #"{"sub":"a","exp":1700000060,"x":""# + String(repeating: "x", count: 14_000) + #""}"#
        #expect(await verify(try await token(claims)).refusal == "the token is longer than 16384 bytes")
    }

    @Test func `deep nesting is refused, not followed`() async throws {
        let claims = #"{"sub":"a","exp":1700000060,"x":"# + String(repeating: "[", count: 5000)
        #expect(await verify(try await token(claims)).refusal == "the token cannot be read")
    }

    @Test(
        arguments: [
            (1_700_000_000_999, true), (1_700_000_001_999, true), (1_700_000_002_000, false),
        ])
    func `expiry and start have the leeway, to the millisecond`(now: Int64, isGood: Bool) async throws {
        let expiring = await verify(try await token(#"{"sub":"a","exp":1700000001}"#), now: now)
        #expect((expiring.refusal == nil) == isGood)
        let starting = await verify(try await token(#"{"sub":"a","exp":1800000000,"nbf":1700000003}"#), now: now)
        #expect((starting.refusal == nil) == !isGood)
    }

    @Test func `issuer and audience are looked at where they are configured`() async throws {
        let one = try await token(#"{"sub":"a","exp":1700000060,"iss":"me","aud":"you"}"#)
        let several = try await token(#"{"sub":"a","exp":1700000060,"iss":"me","aud":["x","you"]}"#)
        let none = try await token(#"{"sub":"a","exp":1700000060}"#)
        let odd = try await token(#"{"sub":"a","exp":1700000060,"iss":7,"aud":{"x":1}}"#)
        #expect(await verify(one, issuer: "me", audience: "you").refusal == nil)
        #expect(await verify(several, issuer: "me", audience: "you").refusal == nil)
        #expect(await verify(none).refusal == nil)
        #expect(await verify(odd).refusal == nil)
        for token in [none, odd] {
            #expect(await verify(token, issuer: "me").refusal == "the token's iss is not the expected one")
            #expect(await verify(token, audience: "you").refusal == "the token's aud is not this gateway")
        }
        #expect(await verify(one, issuer: "Me").refusal == "the token's iss is not the expected one")
        #expect(await verify(several, audience: "yo").refusal == "the token's aud is not this gateway")
    }

    @Test func `an issued token is believed, with all that it was given`() async throws {
        let user = try #require(UserID("alice"))
        let grants = try RoomGrants(claim: ["lesson-*": ["join"], "x": ["publish", "history"]])
        for key in [secret, "sixteen bytes ok"] {
            let issuer = JWTIssuer(secret: key, issuer: "me", audience: "you")
            let issued = try issuer.token(for: user, expires: now + 60, grants: grants)
            let identity = try await verify(issued, secret: key, issuer: "me", audience: "you").get()
            #expect(identity.userId == user && identity.expires == now + 60 && identity.grants == grants)
        }
    }

    @Test func `a short secret signs the same as elsewhere`() async {
        // The example that jwt.io has shown for years; it has no exp, which is found only once the signature is good.
        let example = """
            eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5\
            MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c
            """
        #expect(await verify(example, secret: "your-256-bit-secret").refusal == "the token has no exp")
        #expect(await verify(example, secret: "your-256-bit-secre").refusal == "the token's signature is wrong")
    }
}
