import GatewayCore
import SocketServer
import Testing

/// One connection's way into a room, without either.
@Suite
struct RoomListenerTests {
    private let connection = StillConnection()
    private let room = StillRoom(at: 10, roster: 3)

    private func position(_ seq: Int, _ epoch: String = "e1") -> Position { Position(epoch: epoch, seq: seq) }

    private func arriving(since seq: Int? = 4) -> StillListener {
        StillListener(connection: connection, room: room, since: seq.map { ClientPosition(epoch: "e1", seq: $0) })
    }

    /// A member that has been sent all up to here.
    private func member(at seq: Int, roster version: Int64? = 3) -> StillListener {
        StillListener(
            connection: connection, room: room, backlog: Backlog(of: position(seq), rosterVersion: version))
    }

    @Test func `a newcomer asks from where its client says, and its session begins where the answer ends`() {
        let listener = arriving()
        #expect(listener.asks(Portion(bytes: 5000), ticket: 1) == ClientPosition(epoch: "e1", seq: 4))
        #expect(listener.answered(room.start(5...7, hasMore: true)) == .begins)
        #expect(listener.backlog == nil, "its session has not said so yet")
        listener.begins(with: room.start(5...7, hasMore: true))
        #expect(listener.backlog?.sent == position(4) && listener.backlog?.seen == position(7))
        #expect((1...4).map { _ in listener.next()?.seq } == [5, 6, 7, nil])
        #expect(listener.backlog?.sent == position(7))
        #expect(!listener.isCaughtUp)
        #expect(listener.asks(.none, ticket: 2) == ClientPosition(epoch: "e1", seq: 7))
    }

    @Test func `a newcomer whose answer holds nothing yet stays where its client said`() {
        let listener = arriving()
        _ = listener.asks(.none, ticket: 1)
        _ = listener.answered(room.start(hasMore: true))
        listener.begins(with: room.start(hasMore: true))
        #expect(listener.backlog?.seen == position(4) && !listener.isCaughtUp)
        #expect(listener.asks(.none, ticket: 2) == ClientPosition(epoch: "e1", seq: 4))
    }

    @Test func `it stands with the members only with all messages and the roster as it is`() {
        let listener = member(at: 8)
        #expect(!listener.isCaughtUp, "two messages behind")
        #expect(listener.asks(Portion(bytes: 5000), ticket: 1)?.seq == 8)
        #expect(listener.answered(room.start(9...10)) == .goesOn(.seamless, unseenRoster: nil))
        _ = listener.next()
        #expect(!listener.isCaughtUp, "one is to be sent")
        _ = listener.next()
        #expect(listener.isCaughtUp)
        room.roster?.version = 4
        #expect(!listener.isCaughtUp, "somebody came")
        room.roster?.version = 3
        room.position = position(11)
        #expect(!listener.isCaughtUp, "a message came")
        room.position = position(10, "e2")
        #expect(!listener.isCaughtUp, "the count is another")
    }

    @Test func `with all sent that it holds it is not there while the log holds more`() {
        let listener = arriving(since: 10)
        listener.begins(with: room.start(hasMore: true))
        #expect(!listener.isCaughtUp)
    }

    @Test func `where no roster is kept only messages count`() {
        #expect(member(at: 10, roster: nil).isCaughtUp)
    }

    @Test func `where the log has moved on the client is told of a gap up to what it gets next`() {
        let behind = member(at: 2)
        #expect(behind.answered(room.start(7...10, recovered: false)) == .goesOn(.gap(position(6)), unseenRoster: nil))
        let lost = member(at: 2)
        #expect(lost.answered(room.start(recovered: false)) == .goesOn(.gap(position(10)), unseenRoster: nil))
    }

    @Test func `where the count is another and nothing is missing, the client is told where it stands in that`() {
        let listener = member(at: 8)
        room.position = position(10, "e2")
        #expect(listener.answered(room.start(9...10)) == .goesOn(.epoch(position(8, "e2")), unseenRoster: nil))
        #expect(listener.backlog?.epoch == "e2")
    }

    @Test func `whoever came or went meanwhile is told as a roster changed unseen, once`() {
        let listener = member(at: 10)
        room.roster?.version = 5
        #expect(listener.answered(room.start()) == .goesOn(.seamless, unseenRoster: room.roster))
        #expect(listener.answered(room.start()) == .goesOn(.seamless, unseenRoster: nil))
    }

    @Test func `what may come counts as held, then what came, and each message until it is sent`() {
        let (one, two) = (member(at: 8), member(at: 9))
        _ = one.asks(Portion(bytes: 5000), ticket: 1)
        _ = two.asks(Portion(bytes: 4000), ticket: 2)
        #expect(connection.missedBytes == 9000)
        _ = one.answered(room.start(9...10, memoryBytes: 1000))
        #expect(one.missedBytes == 2000 && connection.missedBytes == 6000)
        _ = one.next()
        #expect(connection.missedBytes == 5000)
        _ = two.failed()
        #expect(connection.missedBytes == 1000)
        _ = one.ends()
        #expect(connection.missedBytes == 0)
    }

    @Test func `a message that did not fit into what could be held needs room until an answer holds it`() {
        let listener = member(at: 8)
        _ = listener.asks(Portion(bytes: 500), ticket: 1)
        _ = listener.answered(room.start(hasMore: true))
        #expect(listener.needsRoom)
        _ = listener.asks(Portion(bytes: 500, atLeastOne: true), ticket: 2)
        _ = listener.answered(room.start(9...9, hasMore: true))
        #expect(!listener.needsRoom)
        _ = listener.asks(.none, ticket: 3)
        _ = listener.answered(room.start(hasMore: true))
        #expect(!listener.needsRoom, "nothing was asked for")
    }

    @Test func `a question that fails is the end of a newcomer, and is put again by one on its way`() {
        let newcomer = arriving()
        _ = newcomer.asks(.none, ticket: 1)
        #expect(newcomer.failed() == .givesUp)
        let listener = member(at: 8)
        _ = listener.asks(.none, ticket: 2)
        #expect(listener.failed() == .triesAgain)
        #expect(listener.backlog?.sent == position(8) && !listener.isGone)
    }

    @Test func `one that has left names its question, and is sent nothing more`() {
        let listener = member(at: 8)
        _ = listener.answered(room.start(9...10))
        _ = listener.asks(.none, ticket: 7)
        #expect(listener.ends() == 7)
        #expect(listener.isGone && listener.next() == nil && listener.backlog == nil)
        #expect(listener.ends() == nil)
        let answered = member(at: 8)
        _ = answered.asks(.none, ticket: 8)
        _ = answered.answered(room.start())
        #expect(answered.ends() == nil, "its question is over")
    }
}
