import GatewayCore
import Testing

@Suite("The epochs of a room, as the archive needs them")
struct EpochCourseTests {
    private typealias Stretch = EpochCourse.Stretch

    @Test func `messages that follow each other leave nothing out`() {
        let course = EpochCourse(head: Position(epoch: "b", seq: 9), ends: "a=5")
        #expect(
            course?.missing(after: Position(epoch: "b", seq: 7), before: Position(epoch: "b", seq: 8)) == [])
        #expect(
            course?.missing(after: Position(epoch: "a", seq: 5), before: Position(epoch: "b", seq: 6)) == [])
        #expect(course?.missing(after: nil, before: Position(epoch: "a", seq: 1)) == [])
    }

    @Test func `a hole is named by the epochs that it lies in`() {
        let course = EpochCourse(head: Position(epoch: "c", seq: 20), ends: "b=9,a=5")
        #expect(
            course?.missing(after: Position(epoch: "a", seq: 3), before: Position(epoch: "c", seq: 12)) == [
                Stretch(epoch: "a", from: 4, to: 5), Stretch(epoch: "b", from: 6, to: 9),
                Stretch(epoch: "c", from: 10, to: 11),
            ])
        #expect(
            course?.missing(after: nil, before: Position(epoch: "b", seq: 8)) == [
                Stretch(epoch: "a", from: 1, to: 5), Stretch(epoch: "b", from: 6, to: 7),
            ])
    }

    @Test func `of a Redis that came back empty nothing of the former epoch is known`() {
        let course = EpochCourse(head: Position(epoch: "b", seq: 3), ends: "")
        #expect(
            course?.missing(after: Position(epoch: "a", seq: 41), before: Position(epoch: "b", seq: 3)) == [
                Stretch(epoch: "b", from: 1, to: 2)
            ])
    }

    @Test func `of a Redis that was set back what the archive has beyond it is no hole`() {
        let course = EpochCourse(head: Position(epoch: "b", seq: 33), ends: "a=30")
        #expect(
            course?.missing(after: Position(epoch: "a", seq: 41), before: Position(epoch: "b", seq: 31)) == [])
        #expect(course?.epoch(of: 30) == "a")
        #expect(course?.epoch(of: 31) == "b")
        #expect(course?.epoch(of: 34) == nil)
    }

    @Test func `of the oldest epoch that a full head remembers it is not known where it began`() {
        let ends = (0..<16).map { "e\($0)=\(100 - $0)" }.joined(separator: ",")
        let course = EpochCourse(head: Position(epoch: "new", seq: 102), ends: ends)
        #expect(course?.epoch(of: 80) == nil)
        #expect(
            course?.missing(after: nil, before: Position(epoch: "e14", seq: 86)) == [])
    }

    @Test func `an epoch that the head does not name has no known hole`() {
        let course = EpochCourse(head: Position(epoch: "b", seq: 33), ends: "")
        #expect(course?.missing(after: nil, before: Position(epoch: "z", seq: 7)) == [])
        #expect(EpochCourse(head: Position(epoch: "b", seq: 33), ends: "a") == nil)
    }
}
