import RedisClient
import Testing

/// Sharded channels on two servers, which the test plays by hand.
@Suite("The subscriptions to a Cluster's sharded channels")
struct ShardSubscriptionsTests {
    private typealias Place = RedisConfiguration.Endpoint
    private typealias Action = ShardSubscriptions.Action

    private let a = Place.tcp(host: "a", port: 1)
    private let b = Place.tcp(host: "b", port: 2)
    private let x = KeySlot(ofTag: "x")
    private let y = KeySlot(ofTag: "y")
    private var machine = ShardSubscriptions()

    private func table(x: Place?, y: Place? = nil) -> SlotTable {
        var places: [KeySlot: Place] = [:]
        places[self.x] = x
        places[self.y] = y
        return SlotTable(places: places, primaries: [a, b])
    }

    private func mark(_ slot: KeySlot, _ turn: Int, at place: Place) -> Action {
        .mark("\(slot.number):\(turn)", at: place)
    }

    /// The mark of a slot's turn comes back.
    private mutating func echo(_ slot: KeySlot, _ turn: Int, at place: Place) -> [Action] {
        machine.marked("\(slot.number):\(turn)", at: place)
    }

    /// Both servers are connected, the first has the slot, in which these stand.
    private mutating func settle(_ channels: [String], y: Place? = nil) {
        _ = machine.mapped(table(x: a, y: y))
        _ = machine.connected(a)
        _ = machine.connected(b)
        for channel in channels {
            _ = machine.wanted([channel])
            _ = machine.subscribed(channel, at: KeySlot(of: channel) == x ? a : y ?? a)
        }
        for slot in Set(channels.map { KeySlot(of: $0) }) { _ = echo(slot, 1, at: slot == x ? a : y ?? a) }
    }

    @Test
    mutating func `channels wait for the map and the link, and their slot stands once the mark behind them is back`() {
        #expect(machine.wanted(["{x}1", "{x}2"]) == [])
        #expect(machine.mapped(table(x: a)) == [])
        #expect(!machine.hears(x, at: a))
        let asked = machine.connected(a)
        guard case .subscribe(let names, a) = asked.first else {
            Issue.record("\(asked)")
            return
        }
        #expect(Set(names) == ["{x}1", "{x}2"] && asked.dropFirst() == [mark(x, 1, at: a)])
        #expect(machine.hears(x, at: a) && !machine.hears(x, at: b) && !machine.hears(y, at: a))
        for name in names { #expect(machine.subscribed(name, at: a) == [.confirmed(name)]) }
        #expect(echo(x, 1, at: a) == [.stands(x, afterBreak: false)])
        #expect(echo(x, 1, at: a) == [])
        #expect(machine.wanted(["{x}1"]) == [.confirmed("{x}1")])
        #expect(machine.wanted(["{x}3"]) == [.subscribe(["{x}3"], at: a)])
        #expect(machine.wanted(["{x}3"]) == [])
        #expect(machine.subscribed("{x}3", at: a) == [.confirmed("{x}3")])
    }

    @Test mutating func `what is not wanted any more is ended, and what is wanted again meanwhile is confirmed once`() {
        settle(["{x}1"])
        #expect(machine.unwanted(["{x}1", "{x}2", "{y}1"]) == [.unsubscribe(["{x}1"], at: a)])
        #expect(machine.wanted(["{x}1"]) == [.subscribe(["{x}1"], at: a)])
        #expect(machine.unsubscribed("{x}1", at: a) == [])
        #expect(machine.subscribed("{x}1", at: a) == [.confirmed("{x}1")])
        #expect(machine.unwanted(["{x}1"]) == [.unsubscribe(["{x}1"], at: a)])
        #expect(machine.unsubscribed("{x}1", at: a) == [])
        #expect(machine.hears(x, at: a))
    }

    @Test mutating func `many channels are asked for in several commands with one mark`() {
        let channels = (0..<1001).map { "{x}\($0)" }
        _ = machine.mapped(table(x: a))
        _ = machine.wanted(channels)
        let asked = machine.connected(a)
        let counts = asked.map { if case .subscribe(let names, a) = $0 { names.count } else { 0 } }
        #expect(counts == [500, 500, 1, 0] && asked.last == mark(x, 1, at: a))
        for case .subscribe(let names, _) in asked {
            for name in names { #expect(machine.subscribed(name, at: a) == [.confirmed(name)]) }
        }
        #expect(echo(x, 1, at: a) == [.stands(x, afterBreak: false)])
    }

    // MARK: Slots that go

    @Test mutating func `a slot that leaves its server is lost, asked about, and tried again`() {
        settle(["{x}1"])
        #expect(machine.unsubscribed("{x}1", at: a) == [.lost(x), .doubt])
        #expect(!machine.hears(x, at: a))
        #expect(machine.ticked() == [.subscribe(["{x}1"], at: a), mark(x, 2, at: a)])
        #expect(machine.refused(at: a) == [.doubt])
        #expect(echo(x, 2, at: a) == [])
        #expect(machine.mapped(table(x: b)) == [.subscribe(["{x}1"], at: b), mark(x, 3, at: b)])
        #expect(machine.subscribed("{x}1", at: b) == [.confirmed("{x}1")])
        #expect(echo(x, 3, at: b) == [.stands(x, afterBreak: true)])
        #expect(machine.ticked() == [])
    }

    @Test mutating func `a slot that is mapped elsewhere goes there before its old server has said anything`() {
        settle(["{x}1"])
        #expect(machine.mapped(table(x: b)) == [.lost(x), .subscribe(["{x}1"], at: b), mark(x, 2, at: b)])
        // What its old server says is not heard.
        #expect(!machine.hears(x, at: a) && machine.hears(x, at: b))
        #expect(machine.unsubscribed("{x}1", at: a) == [])
        #expect(echo(x, 2, at: a) == [])
        #expect(machine.subscribed("{x}1", at: b) == [.confirmed("{x}1")])
        #expect(echo(x, 2, at: b) == [.stands(x, afterBreak: true)])
    }

    @Test mutating func `a slot that comes back to its server is asked for there again`() {
        settle(["{x}1"])
        _ = machine.mapped(table(x: b))
        #expect(machine.mapped(table(x: a)) == [.subscribe(["{x}1"], at: a), mark(x, 3, at: a)])
        // What the other says comes too late.
        #expect(machine.subscribed("{x}1", at: b) == [])
        #expect(echo(x, 2, at: b) == [])
        #expect(machine.refused(at: b) == nil)
        #expect(machine.subscribed("{x}1", at: a) == [.confirmed("{x}1")])
        #expect(echo(x, 3, at: a) == [.stands(x, afterBreak: true)])
    }

    @Test mutating func `a map in which other slots have moved changes nothing for one that stands`() {
        settle(["{x}1", "{y}1"], y: a)
        #expect(machine.mapped(table(x: a, y: b)) == [.lost(y), .subscribe(["{y}1"], at: b), mark(y, 2, at: b)])
        #expect(machine.mapped(table(x: a, y: b)) == [])
        #expect(machine.hears(x, at: a))
    }

    @Test mutating func `a slot that nobody has is lost until somebody has it`() {
        settle(["{x}1"])
        #expect(machine.mapped(table(x: nil)) == [.lost(x)])
        #expect(machine.ticked() == [])
        #expect(machine.unwanted(["{x}1"]) == [])
        #expect(machine.wanted(["{x}2"]) == [])
        #expect(machine.mapped(table(x: b)) == [.subscribe(["{x}2"], at: b), mark(x, 2, at: b)])
    }

    @Test mutating func `a lost link loses its slots, and those of no other server`() {
        settle(["{x}1", "{y}1"], y: b)
        #expect(machine.disconnected(a) == [.lost(x)])
        #expect(machine.hears(y, at: b) && !machine.hears(x, at: a))
        #expect(machine.ticked() == [])
        #expect(machine.wanted(["{x}2"]) == [])
        guard case .subscribe(let names, a) = machine.connected(a).first else {
            Issue.record("it is not asked for")
            return
        }
        #expect(Set(names) == ["{x}1", "{x}2"])
        for name in names { #expect(machine.subscribed(name, at: a) == [.confirmed(name)]) }
        #expect(echo(x, 2, at: a) == [.stands(x, afterBreak: true)])
    }

    // MARK: What crosses

    @Test mutating func `a slot's leaving is not taken for the answer to what was ended in another slot`() {
        settle(["{x}1", "{y}1"], y: a)
        #expect(machine.unwanted(["{x}1"]) == [.unsubscribe(["{x}1"], at: a)])
        // Nobody asked for this one.
        #expect(machine.unsubscribed("{y}1", at: a) == [.lost(y), .doubt])
        #expect(machine.unsubscribed("{x}1", at: a) == [])
        #expect(machine.hears(x, at: a) && !machine.hears(y, at: a))
        #expect(machine.ticked() == [.subscribe(["{y}1"], at: a), mark(y, 2, at: a)])
    }

    @Test mutating func `a slot's leaving is not taken for the answer to what was ended in it`() {
        settle(["{x}1", "{x}2"])
        #expect(machine.unwanted(["{x}1"]) == [.unsubscribe(["{x}1"], at: a)])
        #expect(machine.unsubscribed("{x}2", at: a) == [.lost(x), .doubt])
        // First as one that left, then as the answer.
        #expect(machine.unsubscribed("{x}1", at: a) == [])
        #expect(machine.unsubscribed("{x}1", at: a) == [])
        #expect(machine.ticked() == [.subscribe(["{x}2"], at: a), mark(x, 2, at: a)])
        #expect(machine.subscribed("{x}2", at: a) == [.confirmed("{x}2")])
        #expect(echo(x, 2, at: a) == [.stands(x, afterBreak: true)])
    }

    @Test mutating func `a slot's leaving is told for each channel, and means one loss`() {
        settle(["{x}1", "{x}2", "{x}3"])
        #expect(machine.unsubscribed("{x}1", at: a) == [.lost(x), .doubt])
        #expect(machine.unsubscribed("{x}2", at: a) == [])
        _ = machine.ticked()
        // The rest of the news, behind a question: it is asked once more.
        #expect(machine.unsubscribed("{x}3", at: a) == [.doubt])
        #expect(machine.ticked().last == mark(x, 3, at: a))
        #expect(machine.refused(at: a) == [])
        #expect(machine.refused(at: a) == [.doubt])
    }

    @Test mutating func `a leaving between a subscription and its answer loses the slot`() {
        settle(["{x}1"])
        #expect(machine.wanted(["{x}2"]) == [.subscribe(["{x}2"], at: a)])
        #expect(machine.unsubscribed("{x}1", at: a) == [.lost(x), .doubt])
        #expect(machine.refused(at: a) == [])
        #expect(machine.mapped(table(x: b)).last == mark(x, 2, at: b))
    }

    @Test
    mutating func `one of several subscriptions that is refused loses the slot, and the others' answers say nothing`() {
        settle(["{x}1"])
        #expect(machine.wanted(["{x}2"]) == [.subscribe(["{x}2"], at: a)])
        #expect(machine.wanted(["{x}3"]) == [.subscribe(["{x}3"], at: a)])
        #expect(machine.wanted(["{x}4"]) == [.subscribe(["{x}4"], at: a)])
        #expect(machine.refused(at: a) == [.lost(x), .doubt])
        #expect(machine.subscribed("{x}3", at: a) == [])
        _ = machine.ticked()
        // Of the turn before.
        #expect(machine.subscribed("{x}4", at: a) == [])
        #expect(echo(x, 1, at: a) == [])
        #expect(machine.refused(at: a) == [.doubt])
        #expect(machine.ticked().last == mark(x, 3, at: a))
    }

    @Test mutating func `an error about one slot is not taken for another's`() {
        settle(["{x}1", "{y}1"], y: a)
        #expect(machine.wanted(["{x}2"]) == [.subscribe(["{x}2"], at: a)])
        #expect(machine.wanted(["{y}2"]) == [.subscribe(["{y}2"], at: a)])
        #expect(machine.subscribed("{x}2", at: a) == [.confirmed("{x}2")])
        #expect(machine.refused(at: a) == [.lost(y), .doubt])
        #expect(machine.hears(x, at: a))
        #expect(machine.refused(at: a) == nil)
    }

    @Test mutating func `an error in answer to an end changes nothing`() {
        settle(["{x}1", "{x}2"])
        _ = machine.unwanted(["{x}1"])
        #expect(machine.refused(at: a) == [])
        #expect(machine.hears(x, at: a))
    }

    @Test mutating func `a confirmation of what was not asked, or of another channel than was, is none`() {
        settle(["{x}1"])
        #expect(machine.subscribed("{x}1", at: a) == nil)
        #expect(machine.subscribed("{x}1", at: .tcp(host: "nowhere", port: 1)) == nil)
        _ = machine.wanted(["{x}2"])
        #expect(machine.subscribed("{x}9", at: a) == nil)
        #expect(machine.subscribed("{y}2", at: a) == nil)
    }

    @Test(arguments: ["", "x", "1:2:3", "PONG", "70000:1", "1:x"])
    mutating func `a mark that is none says nothing`(text: String) {
        _ = machine.mapped(table(x: a))
        _ = machine.connected(a)
        _ = machine.wanted(["{x}1"])
        #expect(machine.marked(text, at: a) == [])
        #expect(echo(x, 2, at: a) == [] && echo(y, 1, at: a) == [] && echo(x, 1, at: b) == [])
        #expect(echo(x, 1, at: a) == [.stands(x, afterBreak: false)])
    }

    @Test mutating func `what a link had not answered is forgotten with it`() {
        settle(["{x}1"])
        _ = machine.wanted(["{x}2"])
        _ = machine.disconnected(a)
        #expect(machine.refused(at: a) == nil)
        #expect(machine.connected(a).count == 2)
        #expect(machine.refused(at: a) == [.doubt])
        #expect(machine.refused(at: a) == nil)
    }
}
