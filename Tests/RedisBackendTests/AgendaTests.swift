import GatewayCore
import RedisBackend
import Testing

@Suite struct AgendaTests {
    private final class Item {}

    private func at(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 0) + .milliseconds(milliseconds)
    }

    /// Whether exactly these are due.
    private func due(_ agenda: inout Agenda<Item>, at milliseconds: Int, are items: [Item]) -> Bool {
        let due = agenda.takeDue(now: at(milliseconds))
        return due.count == items.count && items.allSatisfy { item in due.contains { $0 === item } }
    }

    @Test func `each tick looks at what wants it until it rests`() {
        var agenda = Agenda<Item>()
        let item = Item()
        agenda.look(at: item)
        agenda.look(at: item)
        #expect(agenda.takeDue(now: at(0)).count == 1)
        agenda.keep(item, restingUntil: nil)
        #expect(due(&agenda, at: 50, are: [item]))
        agenda.keep(item, restingUntil: at(1000))
        #expect(due(&agenda, at: 100, are: []))
        #expect(due(&agenda, at: 999, are: []))
        #expect(agenda.items.count == 1)
        #expect(due(&agenda, at: 1000, are: [item]))
        agenda.remove(item)
        #expect(agenda.isEmpty)
        #expect(due(&agenda, at: 2000, are: []))
    }

    @Test func `no tick comes before the time, and a late one finds all that it missed`() {
        var agenda = Agenda<Item>()
        let items = (0..<40).map { _ in Item() }
        for item in items { agenda.look(at: item) }
        #expect(due(&agenda, at: 0, are: items))
        for (index, item) in items.enumerated() { agenda.keep(item, restingUntil: at(index * 7 + 1)) }
        #expect(due(&agenda, at: 100, are: Array(items[..<15])))
        #expect(due(&agenda, at: 10_000, are: Array(items[15...])))
    }

    @Test func `one that is looked at while it rests may rest longer, or less`() {
        var agenda = Agenda<Item>()
        let (longer, shorter) = (Item(), Item())
        for item in [longer, shorter] { agenda.look(at: item) }
        #expect(due(&agenda, at: 0, are: [longer, shorter]))
        for item in [longer, shorter] { agenda.keep(item, restingUntil: at(500)) }
        for item in [longer, shorter] { agenda.look(at: item) }
        #expect(due(&agenda, at: 50, are: [longer, shorter]))
        agenda.keep(longer, restingUntil: at(800))
        agenda.keep(shorter, restingUntil: at(200))
        #expect(due(&agenda, at: 200, are: [shorter]))
        agenda.keep(shorter, restingUntil: at(500))
        #expect(due(&agenda, at: 500, are: [shorter]))
        agenda.remove(shorter)
        #expect(due(&agenda, at: 750, are: []))
        #expect(due(&agenda, at: 800, are: [longer]))
    }

    @Test func `one that was taken out and comes back is looked at once`() {
        var agenda = Agenda<Item>()
        let item = Item()
        agenda.look(at: item)
        agenda.remove(item)
        agenda.look(at: item)
        #expect(agenda.takeDue(now: at(0)).count == 1)
        agenda.keep(item, restingUntil: at(100))
        agenda.remove(item)
        agenda.look(at: item)
        #expect(due(&agenda, at: 50, are: [item]))
        agenda.keep(item, restingUntil: at(100))
        #expect(agenda.takeDue(now: at(100)).count == 1)
    }

    @Test func `what is asked for amid a look is looked at by the next tick`() {
        var agenda = Agenda<Item>()
        let item = Item()
        agenda.look(at: item)
        #expect(due(&agenda, at: 0, are: [item]))
        agenda.look(at: item)
        agenda.keep(item, restingUntil: at(5000))
        #expect(due(&agenda, at: 50, are: [item]))
    }
}
