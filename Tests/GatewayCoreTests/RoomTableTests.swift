import GatewayCore
import Testing
import TestSupport

@Suite("A table of rooms")
struct RoomTableTests {
    @Test func `it holds what a dictionary would, however many rooms come and go`() {
        var generator = SplitMix(seed: 7)
        var table = RoomTable<Int>()
        var model: [RoomName: Int] = [:]
        for step in 0..<4000 {
            // The crowd grows and shrinks, over the size from which a dictionary is kept and back below it.
            let crowd = (step / 500).isMultiple(of: 2) ? 40 : 3
            let room = RoomName(unchecked: "room-\(Int.random(in: 0..<40, using: &generator))")
            if Int.random(in: 0..<40, using: &generator) < crowd {
                table[room] = step
                model[room] = step
            } else {
                let taken = table.removeValue(forKey: room)
                #expect(taken == model.removeValue(forKey: room))
            }
            #expect(table[room] == model[room])
            #expect(table.count == model.count && table.isEmpty == model.isEmpty)
            if step.isMultiple(of: 50) {
                #expect(Set(table.keys) == Set(model.keys))
                #expect(Dictionary(uniqueKeysWithValues: table.map { ($0.key, $0.value) }) == model)
            }
        }
    }

    @Test func `nothing put for a room takes it out`() {
        var table = RoomTable<Int>()
        let room = RoomName(unchecked: "r")
        table[room] = 1
        table[room] = nil
        #expect(table.isEmpty && table[room] == nil)
    }

    /// splitmix64, so that a failure comes again.

}
