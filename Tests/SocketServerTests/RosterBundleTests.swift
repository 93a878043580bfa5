import GatewayCore
import SocketServer
import Testing

/// What the members of a room are told of one that comes and goes without end.
@Suite
struct RosterBundleTests {
    /// One presence frame: where it begins, where it ends, and its events, such as `+bob`.
    private struct Told: Equatable {
        var from: Int
        var version: Int
        var events: [String]
        /// Whether the frame says itself where it begins.
        var isNet: Bool

        init?(_ text: String) {
            guard text.hasPrefix(#"{"type":"presence""#),
                let version = text.firstMatch(of: /"rosterVersion":(\d+)/).flatMap({ Int($0.1) })
            else { return nil }
            self.version = version
            events = text.matches(of: /"event":"(\w+)","userId":"(\w+)"/).map {
                ($0.1 == "join" ? "+" : $0.1 == "leave" ? "-" : "~") + $0.2
            }
            let written = text.firstMatch(of: /"from":(\d+)/).flatMap { Int($0.1) }
            isNet = written != nil
            from = written ?? version - events.count
        }
    }

    private let embedded: EmbeddedHub
    private let alice: EmbeddedSocket
    private let bob: EmbeddedSocket

    init() throws {
        embedded = EmbeddedHub { $0.presenceBundleAbove = 10 }
        alice = try embedded.enter("alice")
        bob = try embedded.enter("bob")
        try enter(alice)
    }

    private func enter(_ socket: EmbeddedSocket) throws {
        try socket.send(#"{"type":"join","id":1,"roomId":"r"}"#)
        _ = try socket.take()
    }

    private func leave(_ socket: EmbeddedSocket) throws {
        try socket.send(#"{"type":"leave","id":1,"roomId":"r"}"#)
        _ = try socket.take()
    }

    private func told(_ socket: EmbeddedSocket) throws -> [Told] { try socket.take().compactMap(Told.init) }

    @Test func `a join and the leave after it are told as they come`() throws {
        try enter(bob)
        try leave(bob)
        #expect(try told(alice).map(\.events) == [["+bob"], ["-bob"]])
        embedded.advance(.seconds(2))
        #expect(try told(alice) == [])
    }

    @Test func `what one user does again and again is told four times a second, each time with what is left of it`()
        throws
    {
        var frames: [(at: Int, told: Told)] = []
        for step in 0..<100 {
            if step % 2 == 0 { try enter(bob) } else { try leave(bob) }
            frames += try told(alice).map { (step * 40, $0) }
            embedded.advance(.milliseconds(40))
            frames += try told(alice).map { (step * 40 + 40, $0) }
        }
        embedded.advance(.seconds(2))
        frames += try told(alice).map { (6000, $0) }
        // Nothing is left out of the account.
        var version = 1
        var isThere = false
        for (_, told) in frames {
            #expect(told.from == version)
            version = told.version
            #expect(told.events.count <= 1)
            switch told.events.first {
            case "+bob":
                #expect(!isThere)
                isThere = true
            case "-bob":
                #expect(isThere)
                isThere = false
            default: #expect(told.isNet)
            }
        }
        #expect(version == 101 && !isThere)
        for (time, _) in frames {
            let steps = frames.filter { (time..<time + 1000).contains($0.at) && !$0.told.events.isEmpty }
            #expect(steps.count <= 4)
        }
        #expect(frames.count < 30)
    }

    @Test(arguments: [false, true])
    func `what a member shows of itself is told once a second at most, the latest of it, and its own connection too`(
        isLarge: Bool
    ) throws {
        if isLarge { for number in 0..<10 { try enter(try embedded.enter("u\(number)")) } }
        try enter(bob)
        embedded.advance(.seconds(2))
        let before = try #require(try told(bob).last ?? told(alice).last).version
        _ = try alice.take()
        var frames: [(at: Int, text: String)] = []
        for step in 0..<50 {
            try bob.send(#"{"type":"presence","id":1,"roomId":"r","info":{"n":\#(step)}}"#)
            let own = try bob.take()
            #expect(own.contains { $0.hasPrefix(#"{"type":"ack","id":1}"#) })
            frames += try alice.take().map { (step * 60, $0) }
            embedded.advance(.milliseconds(60))
            frames += try alice.take().map { (step * 60 + 60, $0) }
        }
        embedded.advance(.seconds(2))
        frames += try alice.take().map { (6000, $0) }
        let presence = frames.compactMap { frame in Told(frame.text).map { (at: frame.at, told: $0, text: frame.text) }
        }
        #expect(presence.allSatisfy { $0.told.events == ["~bob"] })
        #expect((4...5).contains(presence.count))
        for (one, next) in zip(presence, presence.dropFirst()) {
            #expect(next.told.from == one.told.version && next.at - one.at >= 900)
        }
        #expect(presence.last?.told.version == before + 50)
        #expect(presence.last?.text.contains(#""info":{"n":49}"#) == true)
        #expect(try told(bob).last == presence.last?.told)
        if isLarge { return }
        // After a rest it is told as it comes.
        try bob.send(#"{"type":"presence","id":1,"roomId":"r","info":{"n":50}}"#)
        #expect(try told(alice).map(\.events) == [["~bob"]])
    }

    @Test func `others who come while somebody's steps wait are told with them, a quarter of a second later at most`()
        throws
    {
        for _ in 0..<2 {
            try enter(bob)
            try leave(bob)
        }
        _ = try told(alice)
        let carol = try embedded.enter("carol")
        try enter(carol)
        #expect(try told(alice) == [])
        embedded.advance(.milliseconds(260))
        let frame = try #require(try told(alice).first)
        #expect(frame.events == ["+carol"])
        #expect((frame.from, frame.version) == (3, 6))
        #expect(try told(carol) == [])
    }

    @Test func `whoever enters in the midst of the steps is told what is left of the rest`() throws {
        for _ in 0..<2 {
            try enter(bob)
            try leave(bob)
        }
        try enter(bob)
        let carol = try embedded.enter("carol")
        try enter(carol)
        try leave(bob)
        embedded.advance(.milliseconds(260))
        let frame = try #require(try told(carol).first)
        #expect(frame.events == ["-bob"])
        #expect((frame.from, frame.version) == (7, 8))
        #expect(try told(alice).last?.events == ["+carol"])
    }

    @Test func `in a large room the same holds, and one frame tells of all`() throws {
        let sockets = try (0..<10).map { try embedded.enter("u\($0)") }
        for socket in sockets { try enter(socket) }
        embedded.advance(.seconds(2))
        _ = try told(alice)
        for _ in 0..<5 {
            try enter(bob)
            try leave(bob)
        }
        try enter(bob)
        try leave(sockets[0])
        #expect(try told(alice) == [])
        embedded.advance(.milliseconds(260))
        let frames = try told(alice)
        #expect(frames.map(\.events) == [["+bob", "-u0"]])
        #expect(frames.first.map { $0.version - $0.from } == 12)
        embedded.advance(.seconds(1))
        #expect(try told(alice) == [])
    }

    @Test func `a member that joins again is told alone what waits, so that asking hastens nothing for the others`()
        throws
    {
        let carol = try embedded.enter("carol")
        try enter(carol)
        for _ in 0..<2 {
            try enter(bob)
            try leave(bob)
        }
        _ = try told(alice)
        try carol.send(#"{"type":"join","id":2,"roomId":"r"}"#)
        let last = try #require(try told(carol).last)
        #expect((last.from, last.version, last.isNet) == (4, 6, true))
        #expect(try told(alice) == [])
        try leave(carol)
        embedded.advance(.milliseconds(260))
        #expect(try told(alice).map(\.events) == [["-carol"]])
    }
}
