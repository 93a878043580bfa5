import GatewayCore
import MartletClient
import Testing
import TestSupport

/// Where streams are and how they go on, without a socket.
@Suite struct StreamsTests {
    private let room = RoomName(unchecked: "r")
    private let inbox = RoomName(unchecked: "@u")

    private func message(_ seq: Int, in room: RoomName? = nil) -> RoomMessage {
        RoomMessage(
            room: room ?? self.room, userId: .system, msgType: 1, payload: [], timestamp: 1,
            position: Position(epoch: "", seq: seq))
    }

    private func at(_ seq: Int, _ epoch: String = "e") -> Position { Position(epoch: epoch, seq: seq) }
    private func since(_ seq: Int, _ epoch: String = "e") -> ClientPosition { ClientPosition(epoch: epoch, seq: seq) }

    private func joined(_ room: RoomName, _ position: Position, recovered: Bool = true) -> Joined {
        Joined(room: room, position: position, recovered: recovered, roster: nil)
    }

    /// Connected, with one room joined at 10.
    private func streams() -> Streams {
        var streams = Streams()
        _ = streams.welcomed(resumed: false, positions: [(inbox, at(3)), (.everyone, at(7))], maxBytes: 60_000)
        _ = streams.joined(joined(room, at(10)), since: nil)
        return streams
    }

    @Test func `a stream goes on from where it was joined, each message once`() {
        var streams = streams()
        #expect(streams.received(message(11)) == .pass(at(11)))
        #expect(streams.received(message(11)) == .drop)
        #expect(streams.received(message(9)) == .drop)
        #expect(streams.received(message(12)) == .pass(at(12)))
        #expect(streams.position(of: room) == at(12))
        #expect(streams.received(message(4, in: inbox)) == .pass(at(4)))
        #expect(streams.received(message(1, in: RoomName(unchecked: "other"))) == .drop)
    }

    @Test func `a hole is never silent`() {
        var streams = streams()
        #expect(streams.received(message(14)) == .passAfterGap(at(14), gap: at(13)))
        #expect(streams.received(message(12)) == .drop)
    }

    @Test func `all that the log holds begins with whatever number it has, also after a cut`() {
        for isCut in [false, true] {
            var streams = Streams()
            #expect(streams.joined(joined(room, at(20)), since: ClientPosition(epoch: nil, seq: 0)) == true)
            if isCut {
                streams.disconnected()
                #expect(streams.joined(joined(room, at(20)), since: ClientPosition(epoch: "e", seq: 0)) == true)
            }
            #expect(streams.received(message(12)) == .pass(at(12)))
            #expect(streams.received(message(14)) == .passAfterGap(at(14), gap: at(13)))
        }
        var streams = Streams()
        _ = streams.joined(joined(room, at(20)), since: ClientPosition(epoch: "e", seq: 0))
        #expect(streams.received(message(12)) == .passAfterGap(at(12), gap: at(11)))
    }

    @Test func `the last messages begin with whatever number comes first, also after a cut`() {
        for isCut in [false, true] {
            var streams = Streams()
            #expect(streams.joined(joined(room, at(20)), since: .last(5)) == true)
            if isCut {
                streams.disconnected()
                #expect(streams.joined(joined(room, at(20)), since: since(15)) == true)
            }
            #expect(streams.position(of: room) == at(15))
            guard !isCut else { continue }
            #expect(streams.received(message(18)) == .pass(at(18)))
            #expect(streams.received(message(20)) == .passAfterGap(at(20), gap: at(19)))
        }
        var streams = Streams()
        _ = streams.joined(joined(room, at(2)), since: .last(5))
        #expect(streams.position(of: room) == at(0))
    }

    @Test func `where none of the last messages came, nothing is lost that came before the join`() {
        for resumes in [false, true] {
            var streams = Streams()
            #expect(streams.joined(joined(room, at(30)), since: .last(20)) == true)
            streams.disconnected()
            #expect(streams.position(of: room) == at(10))
            if resumes {
                let asked = streams.welcomed(resumed: true, positions: [], maxBytes: 60_000).resume ?? [:]
                let lost = ResumedRoom(room: room, outcome: .joined(position: at(31), recovered: false))
                #expect(streams.resumed([lost], asked: asked) == [.join(room)])
            } else {
                #expect(streams.joined(joined(room, at(31), recovered: false), since: since(10)) == true)
            }
            // To be joined once more, for what came since.
            #expect(streams.isLive(room) == false)
            #expect(streams.position(of: room) == at(30))
            #expect(streams.joined(joined(room, at(31)), since: since(30)) == true)
            #expect(streams.received(message(31)) == .pass(at(31)))
            streams.disconnected()
            #expect(streams.joined(joined(room, at(40), recovered: false), since: since(31)) == false)
        }
    }

    @Test func `what comes first after a join is no later than what came behind it`() {
        for since in [ClientPosition.last(5), ClientPosition(epoch: nil, seq: 0)] {
            var streams = Streams()
            #expect(streams.joined(joined(room, at(20)), since: since) == true)
            #expect(streams.received(message(22)) == .passAfterGap(at(22), gap: at(21)))
        }
    }

    @Test func `what is not stored is handed on and moves nothing`() {
        var streams = streams()
        #expect(streams.received(message(0)) == .passUnstored(at(10)))
        #expect(streams.received(message(11)) == .pass(at(11)))
        streams.disconnected()
        // It does not come again with what was missed.
        #expect(streams.received(message(0)) == .passUnstored(at(11)))
        #expect(streams.received(message(0, in: RoomName(unchecked: "other"))) == .drop)
        #expect(streams.position(of: room) == at(11))
    }

    @Test func `joining again changes nothing unless a position is given`() {
        var streams = streams()
        #expect(streams.received(message(11)) == .pass(at(11)))
        #expect(streams.joined(joined(room, at(15)), since: nil) == true)
        #expect(streams.position(of: room) == at(11))
        #expect(streams.joined(joined(room, at(15)), since: since(8)) == true)
        #expect(streams.received(message(9)) == .pass(at(9)))
    }

    @Test func `an epoch renames the position, a gap moves it`() {
        var streams = streams()
        #expect(streams.epoch(of: room, at: at(10, "f")) == true)
        #expect(streams.position(of: room) == at(10, "f"))
        #expect(streams.gap(in: room, at: at(2, "g")) == true)
        #expect(streams.received(message(3)) == .pass(at(3, "g")))
        #expect(streams.gap(in: RoomName(unchecked: "other"), at: at(1)) == false)
    }

    @Test func `a stream of its own that welcome left out begins where a gap says, and any other room does not`() {
        var streams = Streams()
        _ = streams.welcomed(resumed: false, positions: [(inbox, at(3))], maxBytes: 60_000)
        let isTold = streams.gap(in: .everyone, at: at(7))
        #expect(isTold)
        #expect(streams.position(of: .everyone) == at(7))
        #expect(streams.received(message(8, in: .everyone)) == .pass(at(8)))
        #expect(streams.received(message(8, in: .everyone)) == .drop)
        let isAnyTold = streams.gap(in: room, at: at(7))
        #expect(!isAnyTold)
        #expect(streams.position(of: room) == nil)
    }

    @Test func `a session taken up is given every position at once`() {
        var streams = streams()
        _ = streams.received(message(11))
        streams.disconnected()
        #expect(!streams.isLive(room) && streams.wants(room))
        let catchUp = streams.welcomed(
            resumed: true, positions: [(inbox, at(5)), (.everyone, at(7))], maxBytes: 60_000)
        #expect(catchUp.resume == [room: since(11), inbox: since(3), .everyone: since(7)])
        #expect(catchUp.joins.isEmpty)
        // Before the answer nothing counts, since all of it comes again.
        #expect(streams.received(message(13)) == .drop)
        #expect(streams.gap(in: room, at: at(20)) == false)
        let outcomes = streams.resumed(
            [
                ResumedRoom(room: room, outcome: .joined(position: at(13, "f"), recovered: true)),
                ResumedRoom(room: inbox, outcome: .joined(position: at(5), recovered: false)),
                ResumedRoom(room: .everyone, outcome: .joined(position: at(7), recovered: true)),
            ], asked: [room: since(11), inbox: since(3), .everyone: since(7)])
        #expect(outcomes == [.resumed(room, at(13, "f")), .lost(inbox, at(5)), .resumed(.everyone, at(7))])
        #expect(streams.received(message(12)) == .pass(at(12, "f")))
        #expect(streams.received(message(6, in: inbox)) == .pass(at(6)))
    }

    @Test func `what session and client remember differently is put right`() {
        var streams = streams()
        for name in ["lost", "forbidden", "left", "away"] {
            _ = streams.joined(joined(RoomName(unchecked: name), at(1)), since: nil)
        }
        streams.disconnected()
        streams.unwanted(RoomName(unchecked: "left"))
        let asked =
            streams.welcomed(resumed: true, positions: [(inbox, at(3)), (.everyone, at(7))], maxBytes: 60_000).resume
            ?? [:]
        #expect(asked[RoomName(unchecked: "left")] == nil)
        let outcomes = streams.resumed(
            [
                ResumedRoom(room: RoomName(unchecked: "left"), outcome: .joined(position: at(1), recovered: true)),
                ResumedRoom(room: RoomName(unchecked: "forbidden"), outcome: .refused(.forbidden)),
                ResumedRoom(room: RoomName(unchecked: "away"), outcome: .refused(.unavailable)),
                ResumedRoom(room: room, outcome: .joined(position: at(10), recovered: true)),
                ResumedRoom(room: inbox, outcome: .joined(position: at(3), recovered: true)),
                ResumedRoom(room: .everyone, outcome: .joined(position: at(7), recovered: true)),
            ], asked: asked)
        #expect(outcomes.contains(.leave(RoomName(unchecked: "left"))))
        #expect(outcomes.contains(.refused(RoomName(unchecked: "forbidden"), .forbidden)))
        #expect(outcomes.contains(.join(RoomName(unchecked: "lost"))))
        #expect(outcomes.contains(.join(RoomName(unchecked: "away"))))
        #expect(outcomes.count == 7)
        #expect(!streams.wants(RoomName(unchecked: "forbidden")))
    }

    @Test(arguments: ErrorCode.allCases.filter { $0 != .forbidden })
    func `a room that the session could not bring back, for whatever passing reason, is joined where it was`(
        code: ErrorCode
    ) {
        var streams = streams()
        streams.disconnected()
        let welcomed = streams.welcomed(
            resumed: true, positions: [(inbox, at(3)), (.everyone, at(7))], maxBytes: 60_000)
        let told = (welcomed.resume ?? [:]).keys.map { name in
            ResumedRoom(
                room: name, outcome: name == room ? .refused(code) : .joined(position: at(3), recovered: true))
        }
        #expect(streams.resumed(told, asked: welcomed.resume ?? [:]).contains(.join(room)))
        // It goes on by itself too: what that brings counts with the join, which says where it goes on.
        #expect(streams.received(message(11)) == .drop && streams.gap(in: room, at: at(11)) == false)
        #expect(streams.position(of: room) == at(10))
        #expect(streams.joined(joined(room, at(12)), since: since(10)) == true)
        #expect([11, 12].map { streams.received(message($0)) } == [.pass(at(11)), .pass(at(12))])
    }

    @Test func `without the session every room is joined where it was, and what has not moved is left alone`() {
        var streams = streams()
        streams.disconnected()
        let catchUp = streams.welcomed(
            resumed: false, positions: [(inbox, at(9)), (.everyone, at(7))], maxBytes: 60_000)
        #expect(catchUp.resume == nil)
        #expect(Set(catchUp.joins) == [room, inbox])
        #expect(streams.isLive(.everyone))
        #expect(streams.received(message(10, in: inbox)) == .drop)
        #expect(streams.joined(joined(inbox, at(10)), since: since(3)) == true)
        for seq in 4...10 { #expect(streams.received(message(seq, in: inbox)) == .pass(at(seq))) }
        #expect(streams.joined(joined(room, at(40, "f"), recovered: false), since: since(10)) == false)
        #expect(streams.received(message(41)) == .pass(at(41, "f")))
    }

    @Test func `positions that do not fit into one frame are for joins`() {
        var streams = streams()
        for number in 0..<1000 {
            let name = RoomName(unchecked: String(repeating: "x", count: 120) + "\(number)")
            _ = streams.joined(joined(name, at(1)), since: nil)
        }
        let catchUp = streams.welcomed(
            resumed: true, positions: [(inbox, at(3)), (.everyone, at(7))], maxBytes: 60_000)
        let resume = catchUp.resume ?? [:]
        #expect(resume.count + catchUp.joins.count == 1003)
        #expect((100...300).contains(resume.count))
        let smaller = streams.welcomed(
            resumed: true, positions: [(inbox, at(3)), (.everyone, at(7))], maxBytes: 6_000)
        #expect((10...30).contains(smaller.resume?.count ?? 0))
        // What did not fit says where it goes on when it is joined, not with the others.
        let left = catchUp.joins[0]
        let outcomes = streams.resumed(
            [ResumedRoom(room: left, outcome: .joined(position: at(5), recovered: true))], asked: [:])
        #expect(outcomes.isEmpty && !streams.isLive(left))
    }

    @Test func `what was left is over with its last answer`() {
        var streams = streams()
        streams.unwanted(room)
        #expect(streams.received(message(11)) == .pass(at(11)))
        streams.left(room)
        #expect(streams.received(message(12)) == .drop)
    }

    /// A gateway that keeps its word and a link that breaks at any moment: nothing lost, nothing twice.
    @Test func `a stream cut a thousand times at random is whole`() {
        var random = SplitMix(seed: 7)
        var streams = Streams()
        _ = streams.welcomed(resumed: false, positions: [(inbox, at(0)), (.everyone, at(0))], maxBytes: 60_000)
        _ = streams.joined(joined(room, at(0)), since: nil)
        var head = 0
        var sent = 0
        var seen: [Int] = []
        func hear(_ message: RoomMessage) {
            if case .pass(let position) = streams.received(message) { seen.append(position.seq) }
        }
        for _ in 0..<1000 {
            head += Int.random(in: 0...5, using: &random)
            // Some of it arrives before the break.
            let reached = Int.random(in: sent...max(sent, head), using: &random)
            for seq in stride(from: sent + 1, through: reached, by: 1) { hear(message(seq)) }
            let isResumed = Bool.random(using: &random)
            let catchUp = streams.welcomed(
                resumed: isResumed, positions: [(inbox, at(0)), (.everyone, at(0))], maxBytes: 60_000)
            let asked = catchUp.resume?[room] ?? streams.position(of: room).map { ClientPosition($0) }
            guard let asked else { continue }
            // A gateway that was not told of the session sends live messages before the join's answer.
            head += 1
            hear(message(head))
            if isResumed {
                _ = streams.resumed(
                    [ResumedRoom(room: room, outcome: .joined(position: at(head), recovered: true))],
                    asked: catchUp.resume ?? [:])
            } else {
                _ = streams.joined(joined(room, at(head)), since: asked)
            }
            sent = asked.seq
        }
        for seq in stride(from: sent + 1, through: head, by: 1) { hear(message(seq)) }
        #expect(seen == Array(1...head))
    }
}
