import GatewayCore
import Testing

@Suite("A page of history that reaches into the archive")
struct HistoryPlanTests {
    private let room = RoomName(unchecked: "r")
    /// The room was in epoch a up to 30, and is in b since.
    private let course = EpochCourse(head: Position(epoch: "b", seq: 40), ends: "a=30")

    private func page(_ seqs: [Int], more: Bool = false) -> HistoryPage {
        HistoryPage(
            room: room, head: Position(epoch: "b", seq: 40),
            messages: seqs.map { seq in
                RoomMessage(
                    room: room, userId: .system, msgType: 1, payload: [], timestamp: 0,
                    position: Position(epoch: "b", seq: seq))
            }, more: more)
    }

    private func archived(_ epoch: String, _ seqs: ClosedRange<Int>) -> [ArchivedMessage] {
        seqs.map {
            ArchivedMessage(room: "r", epoch: epoch, seq: $0, userId: "system", msgType: 1, payload: [], sentAt: 0)
        }
    }

    /// What was asked for, in short.
    private func short(_ action: HistoryPlan.Action) -> String {
        switch action {
        case .readLog(let range): return "log \(range.edge) \(range.limit)"
        case .readArchive(let query):
            let place = query.place.map { "\($0.epoch):\($0.seq)" } ?? "-"
            return "archive \(query.direction) \(place) \(query.limit)\(query.isPresent ? "" : " former")"
        case .answer(let page):
            let messages = page.messages.map { "\($0.position.epoch):\($0.seq)" }.joined(separator: " ")
            let marks = (page.more ? " more" : "") + (page.isArchiveAway ? " away" : "")
            return "answer \(page.head.epoch) [\(messages)]\(marks)"
        }
    }

    @Test func `what the log has as a whole is not asked of the archive`() {
        var plan = HistoryPlan(of: room, HistoryRange(edge: .newest, limit: 3), course: course)
        #expect(short(plan.begin()) == "log newest 3")
        #expect(short(plan.logAnswered(page([38, 39, 40], more: true))) == "answer b [b:38 b:39 b:40] more")
        var forward = HistoryPlan(of: room, HistoryRange(edge: .after(35), limit: 3), course: course)
        #expect(short(forward.begin()) == "log after(35) 3")
        #expect(short(forward.logAnswered(page([36, 37, 38], more: true))) == "answer b [b:36 b:37 b:38] more")
    }

    @Test func `below the log's beginning it goes on in the archive, under the epochs that messages have`() {
        var plan = HistoryPlan(of: room, HistoryRange(edge: .before(32), limit: 5), course: course)
        #expect(short(plan.begin()) == "log before(32) 5")
        #expect(short(plan.logAnswered(page([29, 30, 31]))) == "archive backward a:29 3")
        let answer = ArchiveAnswer(messages: archived("a", 26...28), more: true)
        #expect(short(plan.archiveAnswered(answer)) == "answer b [a:27 a:28 a:29 a:30 b:31] more")
    }

    @Test func `a page that the log fills to its beginning says whether the archive has more`() {
        var plan = HistoryPlan(of: room, HistoryRange(edge: .newest, limit: 2), course: course)
        _ = plan.begin()
        #expect(short(plan.logAnswered(page([39, 40]))) == "archive backward b:39 1")
        #expect(
            short(plan.archiveAnswered(ArchiveAnswer(messages: archived("b", 38...38), more: false)))
                == "answer b [b:39 b:40] more")
    }

    @Test func `where the archive is away the live part is there, and it is said`() {
        var plan = HistoryPlan(of: room, HistoryRange(edge: .newest, limit: 5), course: course)
        _ = plan.begin()
        _ = plan.logAnswered(page([39, 40]))
        #expect(short(plan.archiveAnswered(nil)) == "answer b [b:39 b:40] away")
    }

    @Test func `going back, what is neither in the log nor in the archive yet is said to be away`() {
        for (limit, found, asked, messages) in [
            (5, 31...33, "archive backward b:39 4", "b:31 b:32 b:33 b:39 b:40"),
            (2, nil, "archive backward b:39 1", "b:39 b:40"),
        ] {
            for (later, mark) in [([ArchivedMessage](), " away"), (archived("b", 39...39), "")] {
                var plan = HistoryPlan(of: room, HistoryRange(edge: .newest, limit: limit), course: course)
                _ = plan.begin()
                #expect(short(plan.logAnswered(page([39, 40]))) == asked)
                let answer = ArchiveAnswer(messages: found.map { archived("b", $0) } ?? [], more: false)
                #expect(short(plan.archiveAnswered(answer)) == "archive forward b:38 1")
                // What the archive has within the log shows that it is past the hole, which is there for good.
                #expect(
                    short(plan.archiveAnswered(ArchiveAnswer(messages: later, more: false)))
                        == "answer b [\(messages)]\(mark)")
            }
        }
        // A page that does not reach the hole misses nothing; the next one begins at it.
        var plan = HistoryPlan(of: room, HistoryRange(edge: .newest, limit: 2), course: course)
        _ = plan.begin()
        _ = plan.logAnswered(page([39, 40]))
        #expect(
            short(plan.archiveAnswered(ArchiveAnswer(messages: archived("b", 33...33), more: true)))
                == "answer b [b:39 b:40] more")
    }

    @Test func `going on, what is neither in the log nor in the archive yet is said to be away`() {
        for (found, messages, mark) in [
            (31...32, "b:31 b:32 b:39 b:40", " away"), (nil, "b:39 b:40", " away"),
            (31...38, "b:31 b:32 b:33 b:34 b:35", " more"),
        ] {
            var plan = HistoryPlan(of: room, HistoryRange(edge: .after(30), limit: 5), course: course)
            _ = plan.begin()
            #expect(short(plan.logAnswered(page([39, 40]))) == "archive forward b:30 6")
            let answer = ArchiveAnswer(messages: found.map { archived("b", $0) } ?? [], more: false)
            #expect(short(plan.archiveAnswered(answer)) == "answer b [\(messages)]\(mark)")
        }
        var plan = HistoryPlan(of: room, HistoryRange(edge: .after(30), limit: 5), course: course)
        _ = plan.begin()
        _ = plan.logAnswered(page([39, 40]))
        let passed = ArchiveAnswer(messages: archived("b", 31...31) + archived("b", 39...39), more: false)
        #expect(short(plan.archiveAnswered(passed)) == "answer b [b:31 b:39 b:40]")
        var former = HistoryPlan(of: room, HistoryRange(edge: .after(7), epoch: "z", limit: 5), course: course)
        _ = former.begin()
        let ended = ArchiveAnswer(messages: archived("z", 8...8) + archived("a", 1...2), more: false)
        #expect(short(former.archiveAnswered(ended)) == "log after(2) 2")
        #expect(short(former.logAnswered(page([39, 40]))) == "answer b [z:8 a:1 a:2 b:39 b:40] away")
    }

    @Test func `an epoch that Redis has forgotten is the archive's alone, backward`() {
        var plan = HistoryPlan(of: room, HistoryRange(edge: .before(9), epoch: "z", limit: 2), course: course)
        #expect(short(plan.begin()) == "archive backward z:9 3 former")
        let answer = ArchiveAnswer(messages: archived("z", 6...8), more: false)
        #expect(short(plan.archiveAnswered(answer)) == "answer b [z:7 z:8] more")
    }

    @Test func `forward it runs on from a forgotten epoch into the log`() {
        var plan = HistoryPlan(of: room, HistoryRange(edge: .after(7), epoch: "z", limit: 5), course: course)
        #expect(short(plan.begin()) == "archive forward z:7 6 former")
        let answer = ArchiveAnswer(messages: archived("z", 8...8) + archived("a", 1...2), more: false)
        #expect(short(plan.archiveAnswered(answer)) == "log after(2) 2")
        #expect(short(plan.logAnswered(page([3, 4], more: true))) == "answer b [z:8 a:1 a:2 a:3 a:4] more")
    }

    @Test func `forward a hole before the log's beginning is the archive's, without what was taken back`() {
        var plan = HistoryPlan(of: room, HistoryRange(edge: .after(28), limit: 4), course: course)
        #expect(short(plan.begin()) == "log after(28) 4")
        #expect(short(plan.logAnswered(page([32, 33]))) == "archive forward a:28 5")
        // The archive has messages of a beyond 30, which Redis was set back behind.
        let answer = ArchiveAnswer(messages: archived("a", 29...31) + archived("b", 31...32), more: true)
        #expect(short(plan.archiveAnswered(answer)) == "answer b [a:29 a:30 b:31 b:32] more")
    }

    @Test func `a room that Redis has forgotten is the archive's`() {
        var plan = HistoryPlan(of: room, HistoryRange(edge: .newest, limit: 2), course: nil)
        _ = plan.begin()
        let none = HistoryPage(room: room, head: Position(epoch: "", seq: 0), messages: [], more: false)
        #expect(short(plan.logAnswered(none)) == "archive backward - 3")
        #expect(
            short(plan.archiveAnswered(ArchiveAnswer(messages: archived("z", 1...2), more: false)))
                == "answer z [z:1 z:2]")
    }

    @Test func `in a room that Redis has forgotten a number alone is one of the archive's last epoch`() {
        let none = HistoryPage(room: room, head: Position(epoch: "", seq: 0), messages: [], more: false)
        for (before, place) in [(8, "z:8"), (41, "z:10")] {
            var plan = HistoryPlan(of: room, HistoryRange(edge: .before(before), limit: 2), course: nil)
            _ = plan.begin()
            #expect(short(plan.logAnswered(none)) == "archive backward - 1")
            let last = ArchiveAnswer(messages: archived("z", 9...9), more: true)
            #expect(short(plan.archiveAnswered(last)) == "archive backward \(place) 3 former")
            let answer = ArchiveAnswer(messages: archived("z", 5...7), more: true)
            #expect(short(plan.archiveAnswered(answer)) == "answer z [z:6 z:7] more")
        }
        var plan = HistoryPlan(of: room, HistoryRange(edge: .before(8), limit: 2), course: nil)
        _ = plan.begin()
        _ = plan.logAnswered(none)
        #expect(short(plan.archiveAnswered(nil)) == "answer  [] away")
    }

    @Test func `a number of a former epoch goes no further than that went`() {
        for (edge, asked) in [
            (HistoryRange.Edge.after(35), "after(30)"), (.after(7), "after(7)"), (.before(36), "before(31)"),
            (.before(7), "before(7)"),
        ] {
            var former = HistoryPlan(of: room, HistoryRange(edge: edge, epoch: "a", limit: 3), course: course)
            #expect(short(former.begin()) == "log \(asked) 3")
            var present = HistoryPlan(of: room, HistoryRange(edge: edge, epoch: "b", limit: 3), course: course)
            #expect(short(present.begin()) == "log \(edge) 3")
        }
        var plan = HistoryPlan(of: room, HistoryRange(edge: .after(35), epoch: "a", limit: 3), course: course)
        _ = plan.begin()
        #expect(short(plan.logAnswered(page([31, 32, 33], more: true))) == "answer b [b:31 b:32 b:33] more")
    }
}
