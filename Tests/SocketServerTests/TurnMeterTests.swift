import GatewayCore
import SocketServer
import Testing

@Suite struct TurnMeterTests {
    private let start = MonotonicTime(nanoseconds: 1)

    /// Ticks every quarter of a second from `from` to `to` seconds, each in time.
    private func tick(_ meter: inout TurnMeter, from: Int, to: Int) {
        for quarter in (4 * from)..<(4 * to) {
            let now = start + .milliseconds(250 * quarter)
            meter.ticked(now: now)
            meter.rests(.milliseconds(250), now: now)
        }
    }

    @Test func `a tick that comes late tells of a turn that long`() {
        var meter = TurnMeter()
        tick(&meter, from: 0, to: 1)
        #expect(meter.longest == .zero)
        meter.ticked(now: start + .milliseconds(1000 + 10_000))
        #expect(meter.longest == .seconds(10))
    }

    @Test func `a tick says how late it comes, but for the first`() {
        var meter = TurnMeter()
        #expect(meter.ticked(now: start) == nil)
        meter.rests(.milliseconds(250), now: start)
        #expect(meter.ticked(now: start + .milliseconds(257)) == .milliseconds(7))
        meter.rests(.milliseconds(250), now: start + .milliseconds(257))
        #expect(meter.ticked(now: start + .milliseconds(507)) == .zero)
    }

    @Test func `of what it is told the longest counts`() {
        var meter = TurnMeter()
        for milliseconds in [3, 40, 7] { meter.turned(.milliseconds(milliseconds)) }
        #expect(meter.longest == .milliseconds(40))
    }

    @Test func `a long turn is shown for half a minute at least, and for a minute at most`() {
        var meter = TurnMeter()
        tick(&meter, from: 0, to: 29)
        meter.turned(.milliseconds(400))
        tick(&meter, from: 29, to: 59)
        #expect(meter.longest == .milliseconds(400))
        tick(&meter, from: 59, to: 62)
        #expect(meter.longest == .zero)
    }

    @Test func `what was long before a loop stood still is not shown as new, the standing still is`() {
        var meter = TurnMeter()
        tick(&meter, from: 0, to: 1)
        meter.turned(.seconds(200))
        meter.ticked(now: start + .seconds(101))
        #expect(meter.longest == .seconds(100))
    }
}
