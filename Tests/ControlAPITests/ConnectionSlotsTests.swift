import ControlAPI
import Testing

/// Who gives way where the api port is full.
@Suite struct ConnectionSlotsTests {
    @Test func `the connection that rests longest gives way, never one that is served`() throws {
        var slots = ConnectionSlots(places: 3)
        let first = try #require(slots.opened().id)
        let second = try #require(slots.opened().id)
        let third = try #require(slots.opened().id)
        let isServed = slots.begins(first, isProbe: false)
        #expect(isServed)
        let fourth = slots.opened()
        #expect(fourth.id != nil && fourth.givesWay == second)
        let fifth = slots.opened()
        #expect(fifth.id != nil && fifth.givesWay == third)
        slots.rests(first)
        #expect(slots.opened().givesWay == fourth.id, "who has just been answered comes last")
        #expect(slots.opened().givesWay == fifth.id)
        #expect(slots.opened().givesWay == first)
        #expect(slots.count == 3)
    }

    @Test func `a request that comes on a connection told to give way is not begun`() throws {
        var slots = ConnectionSlots(places: 2)
        let first = try #require(slots.opened().id)
        _ = slots.opened()
        #expect(slots.opened().givesWay == first)
        let begins = slots.begins(first, isProbe: false)
        #expect(!begins)
        slots.rests(first)
        slots.closed(first)
        #expect(slots.count == 2)
    }

    @Test func `requests never hold the last tenth of the places, which probes find free`() throws {
        var slots = ConnectionSlots(places: 20)
        var ids: [ConnectionSlots.ID] = []
        for _ in 0..<20 { ids.append(try #require(slots.opened().id)) }
        let served = ids.map { slots.begins($0, isProbe: false) }
        #expect(served.count(where: { $0 }) == 18)
        let probe = try #require(slots.opened().id)
        let isServed = slots.begins(probe, isProbe: true)
        #expect(isServed)
        slots.closed(ids[0])
        let next = try #require(slots.opened().id)
        let isNextServed = slots.begins(next, isProbe: false)
        #expect(isNextServed, "a request's place is free again")
    }

    @Test func `where every connection is served there is no place`() throws {
        var slots = ConnectionSlots(places: 2)
        for _ in 0..<2 {
            let id = try #require(slots.opened().id)
            let isServed = slots.begins(id, isProbe: true)
            #expect(isServed)
        }
        let opening = slots.opened()
        #expect(opening.id == nil && opening.givesWay == nil)
    }
}
