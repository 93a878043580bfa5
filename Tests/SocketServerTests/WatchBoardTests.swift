import GatewayCore
import SocketServer
import Testing

/// Who is told of whom, without a connection.
@Suite
struct WatchBoardTests {
    private final class Watcher: Numbered {
        let number: ConnectionNumber

        init(_ number: ConnectionNumber) { self.number = number }
    }

    private let board = WatchBoard<Watcher>()
    private let one = Watcher(1)
    private let two = Watcher(2)
    private let start = MonotonicTime(nanoseconds: 1)

    private func user(_ name: String) -> UserID { UserID(unchecked: name) }

    private func ask(_ watcher: Watcher, _ ticket: FollowTicket, _ users: String...) {
        board.asked(.init(watcher: watcher, id: nil, users: users.map(user), refused: []), ticket)
    }

    /// Names of those nobody asks about any more; nil where nothing was asked.
    private func answer(_ ticket: FollowTicket, wanted: Set<String> = ["bob", "carol"]) -> [String]? {
        board.answered(ticket, isWanted: { wanted.contains($1.string) })?.idle.map(\.string)
    }

    private func told(of name: String) -> [ConnectionNumber] { board.watchers(of: user(name)).map(\.number) }

    private func change(_ name: String, online: Bool, after time: Duration = .zero) -> Bool? {
        let change = StatusChange(userId: user(name), isOnline: online, timestamp: 5)
        return board.changed(change, now: start + time)?.isOnline
    }

    @Test func `a connection is told of a user from the answer on, not from the question on`() {
        ask(one, 1, "bob")
        #expect(change("bob", online: true) == nil)
        #expect(told(of: "bob") == [])
        #expect(answer(1) == [])
        #expect(told(of: "bob") == [1])
        #expect(change("bob", online: false) == false)
        #expect(answer(1) == nil, "one question has one answer")
    }

    @Test func `a user unwatched before the answer is nobody's, and the streams are told so once`() {
        ask(one, 1, "bob", "carol")
        #expect(board.unwatch([user("bob")], by: 1) == [], "its answer is still to come")
        #expect(answer(1, wanted: ["carol"]) == ["bob"])
        #expect(told(of: "bob") == [])
        #expect(told(of: "carol") == [1])
    }

    @Test func `a user is let go with the last of its watchers, not before`() {
        ask(one, 1, "bob")
        ask(two, 2, "bob")
        _ = answer(1)
        _ = answer(2)
        #expect(board.unwatch([user("bob")], by: 1) == [])
        #expect(told(of: "bob") == [2])
        #expect(board.unwatch([user("bob")], by: 2) == [user("bob")])
        #expect(board.unwatch([user("bob")], by: 2) == [])
    }

    @Test func `a question that fails leaves those watched before, and lets the others go`() {
        ask(one, 1, "bob")
        _ = answer(1)
        ask(one, 2, "bob", "carol")
        let failed = board.failed(2)
        #expect(failed?.idle == [user("carol")])
        #expect(board.unwatched([user("bob"), user("carol")], by: 1) == [user("carol")])
        #expect(told(of: "bob") == [1])
        #expect(board.failed(2)?.idle == nil)
    }

    @Test func `one who comes and goes without end is told of twice at once, then as it stands at a tick`() {
        ask(one, 1, "bob")
        _ = answer(1)
        #expect(change("bob", online: true) == true)
        #expect(change("bob", online: false) == false)
        #expect(change("bob", online: true) == nil)
        #expect(change("bob", online: false) == nil)
        #expect(change("bob", online: true) == nil)
        #expect(board.due(now: start).map(\.isOnline) == [true])
        #expect(board.due(now: start).isEmpty)
    }
}
