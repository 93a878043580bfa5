import GatewayCore
import NIOCore
import SocketServer
import Testing
import WebSocketFrames

/// What the registry is told of connections.
@Suite
struct DepartureTests {
    private func close(_ socket: EmbeddedSocket, _ code: UInt16) throws {
        var frame = ByteBuffer()
        FrameEncoder.close(code: code, mask: 2, into: &frame)
        try socket.send(frame)
    }

    @Test func `a connection is registered before it is welcomed, and told of once when it ends`() throws {
        let embedded = EmbeddedHub()
        let socket = try embedded.enter("alice")
        try socket.send(#"{"type":"join","id":1,"roomId":"r"}"#)
        try socket.send(#"{"type":"leave","id":2,"roomId":"r"}"#)
        try close(socket, 1000)
        #expect(!socket.channel.isActive)
        #expect(
            embedded.backend.told == [
                "connect alice", "join r alice", "leave r alice", "disconnect alice farewell closed",
            ])
    }

    @Test func `who is sent away goes at the node's pace, whatever loop it is on`() {
        let pace = DeparturePace()
        let start = MonotonicTime(nanoseconds: 0)
        let hubs = [pace, pace]
        let pauses = (0..<6).map { hubs[$0 % 2].next(now: start, perSecond: 10).milliseconds }
        #expect(pauses == [0, 100, 200, 300, 400, 500])
        #expect(pace.next(now: start + .seconds(60), perSecond: 10) == .zero)
    }

    @Test func `a reset and a page reload have the grace`() throws {
        let embedded = EmbeddedHub()
        let reset = try embedded.enter("reset")
        let reloaded = try embedded.enter("reloaded")
        try reset.channel.close().wait()
        try close(reloaded, 1001)
        #expect(
            embedded.backend.told.suffix(2) == ["disconnect reset abrupt lost", "disconnect reloaded abrupt lost"])
    }

    @Test func `a connection that ends while it is being registered is told of as well`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.holdRegistrations()
        let socket = try embedded.upgrade("/ws?userId=alice")
        try socket.channel.close().wait()
        embedded.backend.releaseRegistrations()
        embedded.loop.run()
        #expect(embedded.backend.told == ["connect alice", "disconnect alice abrupt lost"])
        #expect(embedded.backend.calls.isEmpty)
    }

    @Test func `a kick closes the connection it names with its code and reason, and is a farewell`() throws {
        let embedded = EmbeddedHub()
        let kicked = try embedded.enter("kicked")
        let bystander = try embedded.enter("bystander")
        let name = try #require(embedded.backend.connections(of: "kicked").first)
        for connection in [name, "elsewhere", "00000000000000000000000000"] {
            embedded.backend.deliver([.close(connection: connection, reason: .forbidden, text: "out")], to: 0)
        }
        embedded.loop.run()
        guard case .close(4403, "out") = kicked.events().last else {
            Issue.record("not closed")
            return
        }
        #expect(embedded.backend.told.last == "disconnect kicked farewell kicked")
        #expect(try bystander.take() == [])
    }

    @Test func `one connection too many is closed with 4429 and says why`() throws {
        let embedded = EmbeddedHub()
        embedded.backend.limitConnections(to: 1)
        let first = try embedded.enter("alice")
        let second = try embedded.upgrade("/ws?userId=alice")
        guard case .close(4429, "too many connections") = second.events().last else {
            Issue.record("not closed")
            return
        }
        #expect(try first.take() == [])
        #expect(!embedded.backend.told.contains { $0.hasPrefix("disconnect") })
    }

    @Test
    func `a node that drains holds everybody's presence: those who go by themselves, who stay, and who never got in`()
        throws
    {
        let embedded = EmbeddedHub()
        let leaving = try embedded.enter("leaving")
        let staying = try embedded.enter("staying")
        embedded.backend.holdRegistrations()
        let entering = try embedded.upgrade("/ws?userId=entering")
        embedded.hub.drain(DrainPlan(connections: 3, rate: 500, limit: .seconds(30)), loop: 0, of: 1)
        #expect(try leaving.takeReplies().first?.hasPrefix(#"{"type":"reconnect","afterMs":"#) == true)
        #expect(try entering.take() == ["close 1001"])
        try close(leaving, 1000)
        embedded.hub.closeAll(.goingAway)
        #expect(try staying.take().last == "close 1001")
        embedded.hub.cutAll()
        #expect(
            Set(embedded.backend.told.filter { $0.hasPrefix("disconnect") }) == [
                "disconnect leaving abrupt drained", "disconnect staying abrupt drained",
                "disconnect entering abrupt drained",
            ])
    }

    @Test
    func `of a node that sends its clients away those are closed who were asked and stayed, and nobody who came later`()
        throws
    {
        let embedded = EmbeddedHub()
        let staying = try embedded.enter("staying")
        embedded.dependencies.census.shut()
        #expect(try embedded.ask("/ws?userId=late", from: "192.0.2.1").head.hasPrefix("HTTP/1.1 503 "))
        embedded.hub.drain(DrainPlan(connections: 1, rate: 500, limit: .seconds(30)), loop: 0, of: 1)
        #expect(try staying.takeReplies().first?.hasPrefix(#"{"type":"reconnect","afterMs":"#) == true)
        embedded.dependencies.census.open()
        let later = try embedded.enter("later")
        embedded.hub.closeSentAway()
        #expect(try staying.take().last == "close 1001")
        #expect(try later.take() == [])
    }

    @Test func `a hub that is cut off tells of everybody before it is done`() throws {
        let embedded = EmbeddedHub()
        _ = try embedded.enter("alice")
        embedded.hub.cutAll()
        #expect(embedded.backend.told.last == "disconnect alice abrupt drained")
    }

    @Test func `the address that a connection came from is registered with it`() throws {
        let embedded = EmbeddedHub { $0.trustedProxies = [AddressRange("127.0.0.0/8")].compactMap { $0 } }
        let socket = try embedded.accept()
        try socket.send(
            ByteBuffer(string: TestClient.request("/ws?userId=alice", headers: [("X-Forwarded-For", "192.0.2.7")])))
        let name = try #require(embedded.backend.connections(of: "alice").first)
        #expect(embedded.backend.address(of: name) == "192.0.2.7")
    }
}
