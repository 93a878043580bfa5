import LoadBench
import Testing

/// What a member makes of the presence frames of its room.
@Suite struct RosterWatchTests {
    private var watch = RosterWatch(layout: RoomLayout(rooms: 1, publishers: 1, prefix: "bench-t-"), churners: 1)

    /// One stream in room 0, which knows version 10.
    init() {
        watch.reserve(streams: 1)
        watch.enter(stream: 0, version: 10)
    }

    private mutating func receive(_ events: [String], from: Int? = nil, version: Int) {
        let from = from.map { #","from":\#($0)"# } ?? ""
        let events = events.map { #"{"event":"\#($0)","userId":"u"}"# }.joined(separator: ",")
        let text =
            #"{"type":"presence","roomId":"bench-t-0000000","events":[\#(events)],"members":1\#(from),"#
            + #""rosterVersion":\#(version),"timestamp":1}"#
        Array(text.utf8).withUnsafeBytes { watch.receive($0, stream: 0, room: 0, seats: nil) }
    }

    @Test mutating func `each event is a step where the frame does not say where it begins`() {
        receive(["join", "leave"], version: 12)
        #expect(watch.tally.faults.isEmpty)
        receive(["join"], version: 14)
        #expect(watch.tally.jumps == 1)
        receive([], version: 15)
        #expect(watch.tally.unseen == 1)
    }

    @Test mutating func `a frame that says where it begins may tell of fewer than happened`() {
        receive(["join"], from: 10, version: 13)
        receive([], from: 13, version: 15)
        receive(["update"], from: 15, version: 17)
        #expect(watch.tally.faults.isEmpty)
        receive(["leave"], from: 18, version: 19)
        #expect(watch.tally.jumps == 1)
    }
}
