import GatewayCore
import SocketServer
import Testing

/// What one turn of an event loop has room for.
@Suite
struct TurnTests {
    private let start = MonotonicTime(nanoseconds: 1)

    // MARK: Unpacking

    @Test func `unpacking is over for a turn when its limit is spent, and begins anew with the next`() {
        let turn = InputTurn()
        #expect(turn.spend(InputTurn.limit - 1))
        #expect(!turn.isOver)
        #expect(!turn.spend(InputTurn.smallChange + 1), "the turn's end is waited for already")
        #expect(turn.isOver)
        turn.end()
        #expect(!turn.isOver)
        #expect(turn.spend(InputTurn.limit), "a new turn's end is waited for anew")
        #expect(turn.isOver)
    }

    @Test func `small change is gathered before it counts`() {
        let turn = InputTurn()
        #expect(!turn.spend(InputTurn.smallChange))
        #expect(turn.spend(InputTurn.limit - InputTurn.smallChange))
        #expect(turn.isOver)
    }

    // MARK: Parked

    private final class Parked: Parkable {
        let name: String
        let isStranger: Bool
        var unreadUntil: MonotonicTime?

        init(_ name: String, isStranger: Bool = false, until: MonotonicTime? = nil) {
            (self.name, self.isStranger, unreadUntil) = (name, isStranger, until)
        }
    }

    @Test func `parked connections come in their order, strangers last, those without a share before all`() {
        let parked = ParkedConnections<Parked>()
        for (name, isStranger) in [("s", true), ("a", false), ("t", true), ("b", false)] {
            parked.park(Parked(name, isStranger: isStranger))
        }
        let first = parked.takeAll()
        #expect(first.map(\.name) == ["a", "b", "s", "t"])
        #expect(parked.isEmpty)
        parked.park(first[0])
        parked.parkFirst([first[1]])
        #expect(parked.takeAll().map(\.name) == ["b", "a"])
    }

    @Test func `it presses where somebody's time has come`() {
        let parked = ParkedConnections<Parked>()
        #expect(!parked.isPressing(now: start))
        parked.park(Parked("a", until: start + .seconds(1)))
        #expect(!parked.isPressing(now: start))
        #expect(parked.isPressing(now: start + .seconds(1)))
        parked.park(Parked("b"))
        #expect(parked.isPressing(now: start), "nothing waits of it any more")
    }

    @Test func `a look at the parked is asked for once until it comes`() {
        let parked = ParkedConnections<Parked>()
        #expect(!parked.isLooking)
        parked.willLook()
        #expect(parked.isLooking)
        _ = parked.takeAll()
        #expect(!parked.isLooking)
    }

    // MARK: Sending

    @Test func `a turn's sending is over when its limit is spent; who waits comes in the next one, in order`() {
        let turn = OutputTurn<String>()
        turn.spend(OutputTurn<String>.limit - 1)
        #expect(!turn.isOver)
        turn.spend(1)
        #expect(turn.isOver)
        turn.wait("a")
        turn.wait("b")
        turn.postpone()
        #expect(turn.isPostponed && !turn.isEmpty)
        #expect(turn.begin() == ["a", "b"])
        #expect(!turn.isOver && !turn.isPostponed && turn.isEmpty)
        #expect(turn.begin().isEmpty)
    }

    // MARK: Mail

    private func delivery(_ name: String) -> StreamDelivery { .close(connection: name, reason: .goingAway, text: "") }

    private func name(_ delivery: StreamDelivery?) -> String? {
        guard case .close(let name, _, _) = delivery else { return nil }
        return name
    }

    @Test func `letters are read in their order, each to its end`() {
        let mail = OpenedMail<String>()
        mail.open(["one", "two"], messageBytes: 500)
        #expect(mail.nextLetter() == "one")
        mail.unfold([delivery("a"), delivery("b")])
        #expect(name(mail.nextDelivery()) == "a")
        #expect(mail.messageBytes == 500, "until the last of it has been read")
        #expect(name(mail.nextDelivery()) == "b")
        #expect(mail.nextDelivery() == nil)
        #expect(mail.nextLetter() == "two")
        #expect(mail.isEmpty && mail.messageBytes == 500)
        mail.close()
        #expect(mail.messageBytes == 0)
    }

    @Test func `mail is not read to its end while the last letter is unfolded`() {
        let mail = OpenedMail<String>()
        mail.open(["one"], messageBytes: 1)
        _ = mail.nextLetter()
        mail.unfold([delivery("a")])
        #expect(!mail.isEmpty)
        mail.postpone()
        #expect(mail.isPostponed && !mail.isEmpty)
        mail.resume()
        #expect(!mail.isPostponed)
        #expect(name(mail.nextDelivery()) == "a")
        #expect(mail.isEmpty)
    }
}
