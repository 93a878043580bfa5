import GatewayCore
import NIOCore
import NIOEmbedded
import Testing
import TestSupport

/// A long random life of connections and rooms against a model that says what everyone must have got.
@Suite
struct MembershipWalkTests {
    private struct Member {
        let socket: EmbeddedSocket
        var rooms: Set<String> = []
        var expected: [String] = []
        var received: [String] = []

        mutating func take() throws {
            received += try socket.takeMessages()
        }
    }

    @Test
    func
        `whoever joins, leaves and goes, each member gets each message of its rooms once, and no stream is kept in vain`()
        throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(seed: seed)
        let embedded = EmbeddedHub { $0.limits.rate = RateLimit(perSecond: 1_000_000, burst: 1_000_000) }
        let rooms = ["a", "b", "c", "d"]
        var members: [Member] = []
        for step in 0..<1500 {
            let room = rooms[Int.random(in: 0..<rooms.count, using: &generator)]
            let index = members.isEmpty ? nil : Int.random(in: 0..<members.count, using: &generator)
            switch (Int.random(in: 0..<100, using: &generator), index) {
            case (0..<12, _) where members.count < 20, (_, nil):
                members.append(Member(socket: try embedded.enter("u\(step)")))
            case (12..<40, let index?):
                try members[index].socket.send(#"{"type":"join","roomId":"\#(room)"}"#)
                members[index].rooms.insert(room)
            case (40..<55, let index?):
                try members[index].socket.send(#"{"type":"leave","roomId":"\#(room)"}"#)
                members[index].rooms.remove(room)
            case (55..<62, let index?):
                try members[index].take()
                #expect(members[index].received == members[index].expected, "seed \(seed), step \(step)")
                // Closed with a join under way, every other time.
                embedded.backend.hold(step % 2 == 0)
                try members[index].socket.send(#"{"type":"join","roomId":"\#(room)"}"#)
                try members[index].socket.channel.close().wait()
                embedded.backend.hold(false)
                embedded.backend.release()
                embedded.loop.run()
                members.remove(at: index)
            case (62..<70, let index?):
                // A message that comes while the join is under way is the members', not the joiner's.
                embedded.backend.hold(true)
                try members[index].socket.send(#"{"type":"join","roomId":"\#(room)"}"#)
                publish(room, embedded, &members)
                embedded.backend.hold(false)
                embedded.backend.release()
                embedded.loop.run()
                members[index].rooms.insert(room)
            case (_, _):
                publish(room, embedded, &members)
            }
            let open = Set(members.flatMap(\.rooms))
            #expect(embedded.dependencies.census.status.rooms == open.count, "seed \(seed), step \(step)")
        }
        for index in members.indices {
            try members[index].take()
            #expect(members[index].received == members[index].expected, "seed \(seed)")
        }
        try checkBalance(embedded.backend.calls, seed)
        for member in members { try member.socket.channel.close().wait() }
        #expect(embedded.dependencies.census.status.connections == 0)
        #expect(embedded.backend.calls.contains(.unfollow(.everyone, hub: 0)))
    }

    private func publish(_ room: String, _ embedded: EmbeddedHub, _ members: inout [Member]) {
        embedded.publish(room)
        let seq = embedded.backend.head(of: RoomName(unchecked: room))
        for index in members.indices where members[index].rooms.contains(room) {
            members[index].expected.append("\(room) \(seq)")
        }
    }

    /// Never an unfollow without a follow since the last one.
    private func checkBalance(_ calls: [InMemoryBackend.Call], _ seed: UInt64) throws {
        var followed: Set<RoomName> = []
        for call in calls {
            switch call {
            case .follow(let room, _): followed.insert(room)
            case .unfollow(let room, _): #expect(followed.remove(room) != nil, "seed \(seed)")
            case .watch, .unwatch: continue
            }
        }
    }
}
