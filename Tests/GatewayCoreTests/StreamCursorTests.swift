import GatewayCore
import Testing

@Suite("Following a room")
struct StreamCursorTests {
    private var cursor = StreamCursor()

    private func at(_ seq: Int, _ epoch: String = "e1") -> Position {
        Position(epoch: epoch, seq: seq)
    }

    @Test mutating func `messages are kept until the stream's place is known, then delivered in order and once`() {
        #expect(cursor.receive(at(6)) == .hold)
        cursor.begin(at: at(5))
        #expect(cursor.receive(at(5)) == .drop)
        #expect(cursor.receive(at(6)) == .deliver)
        #expect(cursor.receive(at(6)) == .drop)
        #expect(cursor.receive(at(7)) == .deliver)
        #expect(cursor.position == at(7))
    }

    @Test mutating func `a hole is asked of the log, and nothing behind it is delivered before`() {
        cursor.begin(at: at(5))
        #expect(cursor.receive(at(7)) == .catchUp(after: at(5)))
        #expect(cursor.recover(isGood: true, head: at(8)) == .whole(newEpoch: nil))
        #expect(cursor.receive(at(6)) == .deliver)
        #expect(cursor.receive(at(7)) == .deliver)
        #expect(cursor.receive(at(8)) == .deliver)
    }

    @Test
    mutating func `the first message of a stream that has no epoch yet brings it; a later one is asked of the log`() {
        cursor.begin(at: at(0, ""))
        var late = cursor
        #expect(cursor.receive(at(1)) == .begin(at(0)))
        #expect(cursor.receive(at(1)) == .drop)
        #expect(cursor.receive(at(2)) == .deliver)
        #expect(late.receive(at(2)) == .catchUp(after: at(0, "")))
        #expect(late.recover(isGood: true, head: at(2)) == .whole(newEpoch: at(0)))
    }

    @Test mutating func `another epoch is never guessed about: the log says whether anything was lost`() {
        cursor.begin(at: at(5))
        #expect(cursor.receive(at(6, "e2")) == .catchUp(after: at(5)))
        #expect(cursor.recover(isGood: true, head: at(6, "e2")) == .whole(newEpoch: at(5, "e2")))
        #expect(cursor.receive(at(6, "e2")) == .deliver)
    }

    @Test mutating func `what was lost is told once, and the stream goes on behind it`() {
        cursor.begin(at: at(5))
        #expect(cursor.receive(at(2, "e2")) == .catchUp(after: at(5)))
        #expect(cursor.recover(isGood: false, head: at(2, "e2")) == .lost(at(2, "e2")))
        #expect(cursor.receive(at(2, "e2")) == .drop)
        #expect(cursor.receive(at(3, "e2")) == .deliver)
    }

    @Test mutating func `a head behind what was seen is a loss, whatever the log says`() {
        cursor.begin(at: at(5))
        #expect(cursor.recover(isGood: true, head: at(4, "e2")) == .lost(at(4, "e2")))
    }
}
