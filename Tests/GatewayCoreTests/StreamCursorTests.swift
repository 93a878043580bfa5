import GatewayCore
import Testing

@Suite("Following a room")
struct StreamCursorTests {
    private var cursor = StreamCursor()

    private mutating func receive(_ position: Position) -> StreamCursor.Verdict {
        cursor.receive(position, timestamp: 1000)
    }

    private func at(_ seq: Int, _ epoch: String = "e1") -> Position {
        Position(epoch: epoch, seq: seq)
    }

    @Test mutating func `messages are kept until the stream's place is known, then delivered in order and once`() {
        #expect(receive(at(6)) == .hold)
        cursor.begin(at: at(5), timestamp: 0)
        #expect(receive(at(5)) == .drop)
        #expect(receive(at(6)) == .deliver)
        #expect(receive(at(6)) == .drop)
        #expect(receive(at(7)) == .deliver)
        #expect(cursor.position == at(7))
    }

    @Test mutating func `a hole is asked of the log, and nothing behind it is delivered before`() {
        cursor.begin(at: at(5), timestamp: 0)
        #expect(receive(at(7)) == .catchUp(after: at(5)))
        #expect(cursor.goOn(under: "e1") == nil)
        #expect(receive(at(6)) == .deliver)
        #expect(receive(at(7)) == .deliver)
        #expect(receive(at(8)) == .deliver)
    }

    @Test
    mutating func `the first message of a stream that has no epoch yet brings it; a later one is asked of the log`() {
        cursor.begin(at: at(0, ""), timestamp: 0)
        var late = cursor
        #expect(receive(at(1)) == .begin(at(0)))
        #expect(receive(at(1)) == .drop)
        #expect(receive(at(2)) == .deliver)
        #expect(late.receive(at(2), timestamp: 1000) == .catchUp(after: at(0, "")))
        #expect(late.goOn(under: "e1") == at(0))
    }

    @Test mutating func `another epoch is never guessed about: the log says whether anything was lost`() {
        cursor.begin(at: at(5), timestamp: 0)
        #expect(receive(at(6, "e2")) == .catchUp(after: at(5)))
        #expect(cursor.goOn(under: "e2") == at(5, "e2"))
        #expect(receive(at(6, "e2")) == .deliver)
    }

    @Test mutating func `the time of the latest message is known as long as the stream goes on`() {
        cursor.begin(at: at(5), timestamp: 900)
        #expect(cursor.timestamp == 900)
        #expect(cursor.receive(at(6), timestamp: 950) == .deliver)
        #expect(cursor.receive(at(6), timestamp: 990) == .drop)
        #expect(cursor.receive(at(8), timestamp: 990) == .catchUp(after: at(6)))
        #expect(cursor.timestamp == 950)
    }
}
