import GatewayCore
import MartletClient
import Synchronization
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Tokens that end.
@Suite struct TokenTests: ClientSuite {
    private func token(_ claims: String) -> String {
        let text = Data(claims.utf8).base64EncodedString()
        return "eyJhbGciOiJIUzI1NiJ9." + text.filter { $0 != "=" } + ".c2ln"
    }

    @Test func `a token says when it ends`() {
        #expect(TokenExpiry.milliseconds(of: token(#"{"sub":"ü?>","exp":1700000000}"#)) == 1_700_000_000_000)
        #expect(TokenExpiry.milliseconds(of: token(#"{"exp":1700000000.25,"a":1}"#)) == 1_700_000_000_250)
        for nothing in [
            token("{}"), token(#"{"exp":"soon"}"#), token("["), token(#"{"exp":1e300}"#), "a.b", "", "a.!.c",
        ] {
            #expect(TokenExpiry.milliseconds(of: nothing) == nil)
        }
    }

    @Test func `it is replaced a minute before, or after half of a short life`() {
        #expect(TokenExpiry.delay(left: .seconds(3600)) == .seconds(3540))
        #expect(TokenExpiry.delay(left: .seconds(61)) == .seconds(1))
        #expect(TokenExpiry.delay(left: .seconds(60)) == .seconds(30))
        #expect(TokenExpiry.delay(left: .seconds(2)) == nil)
        #expect(TokenExpiry.delay(left: .seconds(-5)) == nil)
    }

    @Test func `the living connection is shown a fresh token before the old one ends`() async throws {
        let gateway = try await FakeGateway.start()
        let given = Mutex(0)
        let client = try client(
            gateway,
            as: .token {
                let number = given.withLock { count in
                    count += 1
                    return count
                }
                return self.token(#"{"exp":\#(1000 * number)}"#)
            })
        async let connected = client.connect()
        let peer = try await gateway.accept()
        // By the gateway's clock it is a minute and two seconds before the end.
        #expect(try await peer.welcome(timestamp: 938_000).contains("Bearer " + token(#"{"exp":1000}"#)))
        _ = try await connected
        let request = try await peer.request()
        guard case .auth(token(#"{"exp":2000}"#)) = request.command else { throw Ended() }
        peer.send(.authenticated(id: request.id, expires: 2_000_000))
        #expect(given.withLock { $0 } == 2)
        await client.close()
        await gateway.stop()
    }

    @Test func `a token that cannot be had is told of and asked for again`() async throws {
        struct Away: Error {}
        let gateway = try await FakeGateway.start()
        let given = Mutex(0)
        let client = try client(
            gateway,
            as: .token {
                let number = given.withLock { count in
                    count += 1
                    return count
                }
                if number == 1 { throw Away() }
                return "t\(number)"
            })
        async let connected = client.connect()
        let peer = try await gateway.accept()
        #expect(try await peer.welcome().contains("Bearer t2\r\n"))
        _ = try await connected
        #expect(try await next(client) == .error(code: "unavailable", message: "no token: Away()"))
        await client.close()
        await gateway.stop()
    }
}
