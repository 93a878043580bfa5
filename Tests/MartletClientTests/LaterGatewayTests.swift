import GatewayCore
import MartletClient
import Testing

/// A gateway of a later version: what this client does not know neither breaks nor misleads it.
@Suite("a gateway of a later version neither breaks nor misleads a client")
struct LaterGatewayTests: ClientSuite {
    private func sendMembers(_ users: [String], version: Int, to peer: Peer) async throws {
        let request = try await peer.request()
        guard case .members = request.command, let id = request.id else { throw Ended() }
        let members = users.map { #"{"userId":"\#($0)","info":{},"connections":1,"state":"away"}"# }
        peer.text(
            #"{"type":"members","id":\#(String(decoding: id.json, as: UTF8.self)),"roomId":"r","later":1,"#
                + #""members":[\#(members.joined(separator: ","))],"count":9,"rosterVersion":\#(version)}"#)
    }

    private func presence(_ version: Int, members: Int, _ events: String) -> String {
        #"{"type":"presence","roomId":"r","events":[\#(events)],"members":\#(members),"rosterVersion":\#(version),"#
            + #""timestamp":1,"later":{"a":1}}"#
    }

    @Test func `an event of presence that is not known removes nobody, and has the roster read anew where it counts`()
        async throws
    {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let held = try client.room("r")
        var members = held.members.makeAsyncIterator()
        try await peer.acceptJoin(of: "r", at: 0)
        try await sendMembers(["a", "b"], version: 9, to: peer)
        #expect(await members.next()?.map(\.userId) == ["a", "b"])
        peer.text(presence(10, members: 2, #"{"event":"dance","userId":"a"}"#))
        #expect(await members.next()?.map(\.userId) == ["a", "b"])
        peer.text(
            presence(12, members: 2, #"{"event":"leave","userId":"b"},{"event":"appear","userId":"c","info":{}}"#))
        try await sendMembers(["a", "c"], version: 12, to: peer)
        #expect(await members.next()?.map(\.userId) == ["a", "c"])
        await client.close()
        await gateway.stop()
    }

    @Test func `frames, fields and values that are not known are passed over`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let held = try client.room("r")
        var messages = held.messages.makeAsyncIterator()
        try await peer.acceptJoin(of: "r", at: 0)
        for text in [
            "null", "7", #""text""#, "[]", "{}", #"{"type":null}"#, "{", #"{"type":"later","roomId":"r"}"#,
            #"{"type":"room","roomId":"r","event":"painted","colour":"red"}"#,
            #"{"type":"status","userId":"nobody","online":"perhaps"}"#,
            #"{"type":"presence","roomId":"r","delta":"…","rosterVersion":12}"#,
            #"{"type":"message","roomId":"r","userId":"v","msgType":1,"payload":1,"timestamp":5,"seq":1,"later":[1]}"#,
        ] {
            peer.text(text)
        }
        guard case .message(let message) = await messages.next() else { throw Ended() }
        #expect(message.seq == 1 && held.state == .joined)
        await client.close()
        await gateway.stop()
    }

    @Test func `what is no message of the stream does not break the position, nor the next join`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        var peer = try await connect(client, gateway)
        let held = try client.room("r")
        var messages = held.messages.makeAsyncIterator()
        try await peer.acceptJoin(of: "r", at: 41)
        peer.text(#"{"type":"message","roomId":"r","userId":"v","msgType":1,"payload":{},"timestamp":5}"#)
        peer.message("42", seq: 42)
        for _ in 0..<2 { _ = await messages.next() }
        #expect(held.position == position("e", 42))
        peer.close(4999, "of a later gateway")
        peer = try await gateway.accept()
        _ = try await peer.handshake()
        peer.text(
            #"{"type":"welcome","connectionId":"c2","nodeId":"n1","session":"s2","resumed":false,"heartbeat":30000,"#
                + #""timestamp":1,"positions":{"*":{"epoch":"e","seq":7}},"limits":{"later":1},"colour":"red"}"#)
        // The stream of the inbox has no place in this welcome, and is asked for too.
        var since: [String: ClientPosition?] = [:]
        while since["r"] == nil {
            let request = try await peer.request()
            if case .join(let room, let position) = request.command { since[room.string] = position }
        }
        #expect(since["r"] == ClientPosition(epoch: "e", seq: 42))
        await client.close()
        await gateway.stop()
    }

    @Test func `a refusal that is not known but says when to ask again is asked again`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway)
        let peer = try await connect(client, gateway)
        let held = try client.room("r")
        let join = try await peer.request()
        guard case .join = join.command, let id = join.id else { throw Ended() }
        peer.text(
            #"{"type":"error","id":\#(String(decoding: id.json, as: UTF8.self)),"code":"queueing","message":"later","#
                + #""retryAfterMs":20}"#)
        try await peer.acceptJoin(of: "r", at: 1)
        try await held.joined()
        await client.close()
        await gateway.stop()
    }

    @Test func `a resume that says nothing of rooms joins them one by one`() async throws {
        let gateway = try await FakeGateway.start()
        let client = try client(gateway) { $0.requestTimeout = .seconds(2) }
        var peer = try await connect(client, gateway)
        let held = try client.room("r")
        try await peer.acceptJoin(of: "r", at: 41)
        try await held.joined()
        peer.drop()
        peer = try await gateway.accept()
        try await peer.welcome(resumed: true)
        let resume = try await peer.request()
        guard case .resume = resume.command, let id = resume.id else { throw Ended() }
        peer.text(#"{"type":"resumed","id":\#(String(decoding: id.json, as: UTF8.self)),"streams":[]}"#)
        var rooms: Set<String> = []
        while rooms.count < 3 {
            if case .join(let room, _) = try await peer.request().command { rooms.insert(room.string) }
        }
        #expect(rooms == ["r", "@u", "*"])
        await client.close()
        await gateway.stop()
    }
}
