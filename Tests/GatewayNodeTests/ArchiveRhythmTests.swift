import GatewayNode
import Testing

@Suite("When a worker of the archive looks again")
struct ArchiveRhythmTests {
    private let start = ContinuousClock.now

    @Test func `a full batch is followed at once, another behind the pause`() {
        var rhythm = ArchiveRhythm(now: start)
        #expect(rhythm.next == start)
        rhythm.looked(.full, now: start + .seconds(1))
        #expect(rhythm.next == start + .seconds(1))
        rhythm.looked(.some, now: start + .seconds(2))
        #expect(rhythm.next == start + .seconds(2) + ArchiveRhythm.pause)
        rhythm.failed(now: start + .seconds(3))
        #expect(rhythm.next == start + .seconds(3) + ArchiveRhythm.pause)
    }

    @Test func `a partition that was quiet for long is looked into less often, until something comes`() {
        var rhythm = ArchiveRhythm(now: start)
        rhythm.looked(.nothing, now: start + .seconds(9))
        #expect(rhythm.next == start + .seconds(9) + ArchiveRhythm.pause)
        let later = start + ArchiveRhythm.quiet
        rhythm.looked(.nothing, now: later)
        #expect(rhythm.next == later + ArchiveRhythm.quietPause)
        rhythm.looked(.othersTurn, now: later)
        #expect(rhythm.next == later + ArchiveRhythm.pause)
        rhythm.looked(.some, now: later + .seconds(1))
        rhythm.looked(.nothing, now: later + .seconds(2))
        #expect(rhythm.next == later + .seconds(2) + ArchiveRhythm.pause)
    }
}
