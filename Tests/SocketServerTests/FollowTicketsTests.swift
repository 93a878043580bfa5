import SocketServer
import Testing

/// Questions to the streams, by number.
@Suite
struct FollowTicketsTests {
    private let tickets = FollowTickets<String>()

    @Test func `each question has a number of its own, whoever asks`() {
        let numbers = [tickets.next(), tickets.next(for: "a"), tickets.next(), tickets.next(for: "a")]
        #expect(Set(numbers).count == 4)
    }

    @Test func `an answer finds who asked, once`() {
        let (one, other) = (tickets.next(for: "a"), tickets.next(for: "b"))
        #expect(tickets.take(other) == "b")
        #expect(tickets.take(one) == "a")
        #expect(tickets.take(one) == nil)
    }

    @Test func `a number without a listener finds nobody`() {
        _ = tickets.next(for: "a")
        #expect(tickets.take(tickets.next()) == nil)
    }
}
