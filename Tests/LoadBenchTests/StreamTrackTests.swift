import LoadBench
import Testing

@Suite struct StreamTrackTests {
    @Test func `numbers in order are next, each`() {
        var track = StreamTrack()
        for number in UInt32(1)...200 { #expect(track.received(number) == .next) }
    }

    @Test func `a hole is skipped, and filled late once`() {
        var track = StreamTrack()
        #expect(track.received(1) == .next)
        #expect(track.received(4) == .skipped(2))
        #expect(track.received(3) == .late)
        #expect(track.received(3) == .repeated)
        #expect(track.received(2) == .late)
        #expect(track.received(4) == .repeated)
        #expect(track.received(5) == .next)
    }

    @Test func `what is far behind counts as repeated`() {
        var track = StreamTrack()
        #expect(track.received(100) == .skipped(99))
        #expect(track.received(37) == .late)
        #expect(track.received(36) == .repeated)
        #expect(track.received(0) == .repeated)
    }
}
