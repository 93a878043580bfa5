import Testing

/// Whole sessions over real sockets.
@Suite(.timeLimit(.minutes(1)))
struct SessionOverLoopbackTests {
    @Test func `a message reaches its sender and the other member, byte for byte`() async throws {
        try await TestServer.run { server in
            let alice = try await server.enter("alice")
            let bob = try await server.enter("bob")
            let joined = #"{"type":"joined","id":1,"roomId":"r","epoch":"e1","seq":0,"recovered":true"#
            let alone = #","members":1,"rosterVersion":1}"#
            #expect(try await alice.ask(#"{"type":"join","id":1,"roomId":"r"}"#) == joined + alone)
            let both = #","members":2,"rosterVersion":2}"#
            #expect(try await bob.ask(#"{"type":"join","id":1,"roomId":"r"}"#) == joined + both)
            let presence =
                #"{"type":"presence","roomId":"r","events":[{"event":"join","userId":"bob","info":{}}],"members":2,"rosterVersion":2,"timestamp":1000}"#
            #expect(try await alice.text() == presence)
            try await alice.send(#"{"type":"message","id":"x","roomId":"r","payload": {"a" : 1e400} }"#)
            let delivered =
                #"{"type":"message","roomId":"r","userId":"alice","msgType":1,"payload":{"a" : 1e400},"timestamp":1000,"seq":1}"#
            #expect(try await bob.text() == delivered)
            let atAlice = try await [alice.text(), alice.text()]
            #expect(atAlice.contains(delivered))
            #expect(atAlice.contains(#"{"type":"ack","id":"x","roomId":"r","seq":1,"timestamp":1000}"#))
        }
    }
}
