import GatewayCore
import Testing

@Suite(.timeLimit(.minutes(1)))
struct AuthenticationTests {
    private static let alice = Identity(userId: UserID(unchecked: "alice"))
    private static let far: Int64 = 4_000_000_000

    private func run(_ body: (TestServer) async throws -> Void) async throws {
        let verifier = TableVerifier([
            "alice": Self.alice, "bob": Identity(userId: UserID(unchecked: "bob")),
            "alice again": Identity(userId: UserID(unchecked: "alice"), expires: Self.far),
            "alice before": Identity(userId: UserID(unchecked: "alice"), expires: Self.far, issuedAt: 5),
            "short": Identity(userId: UserID(unchecked: "alice"), expires: 1),
            "narrow": Identity(userId: UserID(unchecked: "alice"), grants: RoomGrants([])),
        ])
        try await TestServer.run {
            $0.authentication = .jwt(verifier)
            $0.limits.leeway = .zero
        } _: { server in
            try await body(server)
        }
    }

    @Test func `a token comes in the address, in a header or in the first frame`() async throws {
        try await run { server in
            let inAddress = try await server.connect("/ws?token=alice")
            #expect(try await inAddress.text().contains(#""userId":"alice""#))
            let inHeader = try await server.connect("/ws", headers: [("Authorization", "Bearer bob")])
            #expect(try await inHeader.text().contains(#""userId":"bob""#))
            let inFrame = try await server.connect("/ws?userId=mallory")
            #expect(
                try await inFrame.ask(#"{"type":"join","id":1,"roomId":"r"}"#).contains(#""code":"unauthorized""#))
            #expect(try await inFrame.ask(#"{"type":"ping"}"#) == #"{"type":"pong"}"#)
            #expect(try await inFrame.ask(#"{"type":"auth","token":"alice"}"#).contains(#""type":"welcome""#))
        }
    }

    @Test(arguments: ["/ws?token=wrong", "/ws?token="])
    func `a bad token closes with 4401 and its reason`(target: String) async throws {
        try await run { server in
            let client = try await server.connect(target)
            let closing = try #require(await client.closing())
            #expect(closing.code == 4401)
            #expect(closing.reason == "the token is not known")
        }
    }

    @Test func `a token that ends on a living connection closes it with 4401`() async throws {
        try await run { server in
            let client = try await server.connect("/ws?token=short")
            #expect(try await client.text().contains(#""type":"welcome""#))
            #expect(await client.closeCode() == 4401)
        }
    }

    @Test func `a fresh token is answered with its end; another user's is forbidden`() async throws {
        try await run { server in
            let client = try await server.connect("/ws?token=alice")
            _ = try await client.text()
            let fresh = try await client.ask(#"{"type":"auth","id":1,"token":"alice again"}"#)
            #expect(fresh == #"{"type":"authenticated","id":1,"expires":4000000000000}"#)
            let foreign = try await client.ask(#"{"type":"auth","id":2,"token":"bob"}"#)
            #expect(foreign.contains(#""id":2,"code":"forbidden""#))
        }
    }

    @Test func `a fresh token that a backend has made void closes the connection`() async throws {
        try await run { server in
            let client = try await server.connect("/ws?token=alice")
            _ = try await client.text()
            server.backend.voidTokens(before: 10)
            try await client.send(#"{"type":"auth","id":1,"token":"alice before"}"#)
            #expect(await client.closeCode() == 4401)
        }
    }

    @Test func `no token and no payload reaches the log, whatever is done with them`() async throws {
        let log = LogCollector()
        let verifier = TableVerifier(["s3cret": Self.alice])
        try await TestServer.run(logger: log.logger) {
            $0.authentication = .jwt(verifier)
        } _: { server in
            let client = try await server.connect("/ws?token=s3cret")
            _ = try await client.text()
            _ = try await client.ask(#"{"type":"auth","token":"s3cret"}"#)
            _ = try await client.ask(#"{"type":"auth","token":"s3cret2"}"#)
            _ = try await client.ask(#"{"type":"message","roomId":"r","payload":"s3cret"}"#)
            _ = try await server.connect("/ws?token=s3cret-wrong").closing()
            _ = try await server.connect("/ws", headers: [("Authorization", "Bearer s3cret-too")]).closing()
        }
        #expect(log.lines.contains { $0.contains("session live") && $0.contains("alice") })
        #expect(!log.lines.contains { $0.contains("s3cret") })
    }

    @Test func `a narrower token takes the rooms along that it does not allow`() async throws {
        try await run { server in
            let client = try await server.connect("/ws?token=alice")
            _ = try await client.text()
            _ = try await client.ask(#"{"type":"join","id":1,"roomId":"r"}"#)
            _ = try await client.ask(#"{"type":"auth","id":2,"token":"narrow"}"#)
            #expect(try await client.text() == #"{"type":"left","roomId":"r"}"#)
            #expect(try await client.ask(#"{"type":"join","id":3,"roomId":"r"}"#).contains("forbidden"))
            #expect(server.server.status.rooms == 0)
        }
    }
}
