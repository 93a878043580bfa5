import GatewayCore
import Testing

@Suite("Where a listener begins")
struct ListenerStartTests {
    /// One listener: what it has seen, what Redis answered, what this node remembers, and what comes of it.
    struct Row: CustomTestStringConvertible {
        let name: String
        var since: ClientPosition?
        /// The head's seq in the answer, of epoch `e1`.
        var head = 10
        var ends = ""
        /// What was read of the log.
        var log: [Int] = []
        var after: Int?
        var more = false
        /// Up to where the node has delivered; the head where it is nil.
        var seen: Int?
        var recent: [Int] = []
        var portion = Portion.unbounded
        var limit = 1000
        var size = 1000
        var age = Duration.seconds(60)
        let result: String

        var testDescription: String { name }
    }

    private static func from(_ seq: Int, _ epoch: String? = "e1") -> ClientPosition {
        ClientPosition(epoch: epoch, seq: seq)
    }

    static let rows = [
        Row(name: "nothing of the past: from where the node stands", head: 8, seen: 10, result: "10"),
        Row(name: "all seen", since: from(10), result: "10"),
        Row(name: "of any epoch", since: from(10, nil), result: "10"),
        Row(name: "of an unknown epoch", since: from(10, "e0"), result: "10 lost"),
        Row(
            name: "of an earlier epoch, before its end", since: from(9, "e0"), ends: "e0=9,d=2", log: [10], after: 9,
            result: "10 missed [10]"),
        Row(name: "of an earlier epoch, beyond its end", since: from(10, "e0"), ends: "e0=9,d=2", result: "10 lost"),
        Row(name: "of an epoch before that", since: from(3, "d"), ends: "e0=9,d=2", result: "10 lost"),
        Row(name: "beyond the head", since: from(11), result: "10 lost"),
        Row(name: "from memory", since: from(7), recent: [7, 8, 9, 10], result: "10 missed [8, 9, 10]"),
        Row(
            name: "from memory that begins just there", since: from(7), recent: [8, 9, 10],
            result: "10 missed [8, 9, 10]"),
        Row(name: "memory that begins too late", since: from(6), recent: [8, 9, 10], result: "read"),
        Row(
            name: "memory goes on beyond the answer", since: from(9), seen: 12, recent: [10, 11, 12],
            result: "12 missed [10, 11, 12]"),
        Row(
            name: "memory older than the log's age", since: from(7), recent: [8, 9, 10], age: .milliseconds(99),
            result: "read"),
        Row(
            name: "memory as old as the log's age", since: from(7), recent: [8, 9, 10], age: .milliseconds(100),
            result: "10 missed [8, 9, 10]"),
        Row(name: "from the log", since: from(7), log: [8, 9, 10], after: 7, result: "10 missed [8, 9, 10]"),
        Row(
            name: "a read that began earlier", since: from(8), log: [7, 8, 9, 10], after: 6, result: "10 missed [9, 10]"
        ),
        Row(name: "a read that began too late", since: from(6), log: [8, 9, 10], after: 7, result: "read"),
        Row(name: "the log has been trimmed", since: from(5), log: [8, 9, 10], after: 5, result: "10 lost"),
        Row(name: "the log has a hole", since: from(7), log: [8, 10], after: 7, result: "10 lost"),
        Row(name: "the log ends too early", since: from(7), log: [8, 9], after: 7, result: "10 lost"),
        Row(name: "the log has nothing left", since: from(7), after: 7, result: "10 lost"),
        Row(name: "all that there is", since: from(0, nil), log: [8, 9, 10], after: 0, result: "10 missed [8, 9, 10]"),
        Row(
            name: "all that there is, of whatever epoch", since: from(0, "e0"), log: [8, 9, 10], after: 0,
            result: "10 missed [8, 9, 10]"),
        Row(name: "all that there is of an empty log", since: from(0, nil), after: 0, result: "10"),
        Row(
            name: "the last three, from memory", since: .last(3), recent: [7, 8, 9, 10], result: "10 missed [8, 9, 10]"),
        Row(name: "the last three, where memory has two", since: .last(3), recent: [9, 10], result: "read"),
        Row(
            name: "the last three, from the log", since: .last(3), log: [8, 9, 10], after: 7,
            result: "10 missed [8, 9, 10]"),
        Row(
            name: "the last three, of which the log has two", since: .last(3), log: [9, 10], after: 7,
            result: "10 missed [9, 10]"),
        Row(name: "the last three of an empty log", since: .last(3), after: 7, result: "10"),
        Row(
            name: "the last three of two that there ever were", since: .last(3), head: 2, log: [1, 2], after: 0,
            result: "2 missed [1, 2]"),
        Row(
            name: "the last three, of which some came since the answer", since: .last(3), head: 8, log: [6, 7, 8],
            after: 5,
            seen: 9, recent: [9], result: "9 missed [7, 8, 9]"),
        Row(
            name: "the last three, one at least", since: .last(3), log: [8], after: 7, more: true, portion: .none,
            result: "10 missed [8] more"),
        Row(name: "the last of a log that keeps nothing", since: .last(3), recent: [9, 10], size: 0, result: "10"),
        Row(
            name: "the first part of the log", since: from(4), log: [5, 6], after: 4, more: true,
            result: "10 missed [5, 6] more"),
        Row(
            name: "a read whose part ends before it", since: from(7), log: [5, 6], after: 4, more: true, result: "read"),
        Row(name: "a read whose part ends with it", since: from(6), log: [5, 6], after: 4, more: true, result: "read"),
        Row(
            name: "no more than the limit, from memory", since: from(7), recent: [8, 9, 10], limit: 2,
            result: "10 missed [8, 9] more"),
        Row(
            name: "no more than the limit, from the log", since: from(7), log: [8, 9, 10], after: 7, limit: 2,
            result: "10 missed [8, 9] more"),
        Row(
            name: "no more than its portion", since: from(7), recent: [8, 9, 10], portion: Portion(bytes: 450),
            result: "10 missed [8, 9] more"),
        Row(
            name: "one at least", since: from(7), log: [8, 9, 10], after: 7,
            portion: Portion(bytes: 0, atLeastOne: true), result: "10 missed [8] more"),
        Row(name: "nothing yet", since: from(7), log: [8], after: 7, more: true, portion: .none, result: "10 more"),
        Row(
            name: "nothing yet, and all is lost", since: from(5), log: [8], after: 5, more: true, portion: .none,
            result: "10 lost"),
        Row(
            name: "the node has gone on since the read, and remembers", since: from(8), log: [9, 10], after: 8,
            seen: 12, recent: [11, 12], result: "12 missed [9, 10, 11, 12]"),
        Row(
            name: "the node has gone on, and remembers too late", since: from(8), log: [9, 10], after: 8, seen: 12,
            recent: [12], result: "12 missed [9, 10] more"),
        Row(
            name: "the node has gone on out of memory, and nothing was missed before", since: from(10), after: 9,
            seen: 12, recent: [12], result: "read"),
        Row(name: "a log that keeps nothing: all seen", since: from(10), size: 0, result: "10"),
        Row(
            name: "a log that keeps nothing: something missed", since: from(9), recent: [10], size: 0, result: "10 lost"
        ),
        Row(
            name: "a log that keeps nothing: all that there is", since: from(0, nil), recent: [9, 10], size: 0,
            result: "10"),
        Row(
            name: "a log that keeps nothing: what came since is in memory", since: from(10), seen: 11,
            recent: [10, 11], size: 0, result: "11 missed [11]"),
        Row(
            name: "a log that keeps nothing: what came since is forgotten", since: from(10), seen: 12, recent: [12],
            size: 0, result: "read"),
    ]

    @Test(arguments: rows)
    func `is decided from what Redis answered and what the node remembers`(row: Row) {
        let answer = PositionAnswer(
            head: Position(epoch: "e1", seq: row.head), roster: nil, timestamp: 1100, ends: row.ends, after: row.after,
            messages: row.log.map(Self.message), more: row.more)
        var recent = RecentMessages()
        for seq in row.recent { recent.append(Self.message(seq)) }
        let start = ListenerStart(
            since: row.since, answer: answer, seen: Position(epoch: "e1", seq: row.seen ?? row.head), recent: recent,
            roster: nil, portion: row.portion, limit: row.limit, limits: LogLimits(size: row.size, age: row.age))
        #expect(Self.line(of: start) == row.result)
    }

    private static func line(of start: ListenerStart) -> String {
        switch start {
        case .readLog: return "read"
        case .start(let start):
            var line = "\(start.position.seq)"
            if !start.recovered { line += " lost" }
            if !start.missed.isEmpty { line += " missed \(start.missed.map(\.seq))" }
            if start.hasMore { line += " more" }
            return line
        }
    }

    /// Of 200 bytes in memory.
    private static func message(_ seq: Int) -> RoomMessage {
        RoomMessage(
            room: RoomName(unchecked: "lesson-1"), userId: UserID(unchecked: "amy"), msgType: 1, payload: [],
            timestamp: 1000, position: Position(epoch: "e1", seq: seq))
    }
}

@Suite("What a log is asked for")
struct LogPartTests {
    struct Row: CustomTestStringConvertible {
        let name: String
        let since: [Int?]
        var seen: Int? = 1000
        var portion = Portion.unbounded
        let part: LogPart?

        var testDescription: String { name }
    }

    static let rows = [
        Row(name: "nobody wants the past", since: [nil, nil], part: nil),
        Row(name: "memory holds it", since: [990, 1000], part: nil),
        Row(name: "memory begins later", since: [nil, 900], part: LogPart(after: 900, limit: 100)),
        Row(
            name: "one read serves all within reach of the newest", since: [950, 905, 900, 970],
            part: LogPart(after: 900, limit: 100)),
        Row(name: "one further behind waits for its turn", since: [950, 20], part: LogPart(after: 950, limit: 100)),
        Row(name: "and is then served alone", since: [20, 950], part: LogPart(after: 20, limit: 100)),
        Row(
            name: "the stream has not begun: the furthest says where it may stand", since: [950, 900, 20], seen: nil,
            part: LogPart(after: 900, limit: 100)),
        Row(name: "the last of what memory holds", since: [-20], part: nil),
        Row(name: "the last, beyond memory", since: [-30], part: LogPart(after: 970, limit: 100)),
        Row(name: "more than there ever were", since: [-3000], part: LogPart(after: 0, limit: 100)),
        Row(
            name: "the stream has not begun: so many from its end", since: [-5, 950, -30], seen: nil,
            part: LogPart(after: -30, limit: 100)),
        Row(
            name: "the stream has not begun: a position comes first", since: [950, -5], seen: nil,
            part: LogPart(after: 950, limit: 100)),
        Row(
            name: "no more than they take", since: [900, 950], portion: Portion(bytes: 300),
            part: LogPart(after: 900, limit: 100, bytes: 600)),
        Row(
            name: "one message tells whether all is there", since: [900], portion: .none,
            part: LogPart(after: 900, limit: 1, bytes: 0)),
    ]

    @Test(arguments: rows)
    func `is what those who wait have missed and memory lacks`(row: Row) {
        var recent = RecentMessages()
        for seq in 981...1000 {
            recent.append(
                RoomMessage(
                    room: .everyone, userId: .system, msgType: 1, payload: [], timestamp: 0,
                    position: Position(epoch: "e1", seq: seq)))
        }
        let listeners = row.since.map { seq in
            Listener(
                ticket: 1, hub: 0, since: seq.map { ClientPosition(epoch: nil, seq: $0) }, portion: row.portion,
                deadline: MonotonicTime(nanoseconds: 0))
        }
        #expect(LogPart(for: listeners, seen: row.seen, recent: recent, limit: 100) == row.part)
    }
}

@Suite("The latest messages of a room")
struct RecentMessagesTests {
    private var recent = RecentMessages()

    private func message(_ seq: Int) -> RoomMessage {
        RoomMessage(
            room: .everyone, userId: .system, msgType: 1, payload: [], timestamp: 0,
            position: Position(epoch: "e1", seq: seq))
    }

    @Test mutating func `the oldest go first, and the others stay in order`() {
        for seq in 1...1000 {
            recent.append(message(seq))
            if seq > 10 { recent.removeOldest(of: recent.generation) }
            #expect(recent.count == min(seq, 10))
            let first = max(1, seq - 9)
            #expect(recent.holds(after: first - 1) && !recent.holds(after: first - 2))
            #expect(recent.after(0).map(\.seq) == Array(first...seq))
            #expect(recent.after(seq - 1).map(\.seq) == [seq])
        }
        for _ in 0..<20 { recent.removeOldest(of: recent.generation) }
        #expect(recent.count == 0 && recent.after(0).isEmpty && !recent.holds(after: 1000))
    }

    @Test mutating func `what was noted before they began anew takes nothing out`() {
        recent.append(message(1))
        let before = recent.generation
        recent.removeAll()
        recent.append(message(9))
        recent.removeOldest(of: before)
        #expect(recent.after(0).map(\.seq) == [9])
    }
}
