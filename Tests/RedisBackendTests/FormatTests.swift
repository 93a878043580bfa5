import RedisBackend
import Testing

/// Which releases go together in one deployment.
struct FormatTests {
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let own: Format
        let found: Format.Found
        var last: Int?
        let verdict: Format.Verdict
    }

    private static let (f2, f3, f4) = (
        Format(writes: 2, reads: 2), Format(writes: 3, reads: 2), Format(writes: 4, reads: 4)
    )
    private static let layout = Partition.layout

    static let cases: [Case] = [
        Case(
            testDescription: "an empty Redis takes the node's own", own: f3, found: .init(),
            verdict: .join(Format(writes: 3, reads: 3))),
        Case(
            testDescription: "one that was emptied takes what was written before", own: f3, found: .init(), last: 2,
            verdict: .join(f2)),
        Case(
            testDescription: "where only nodes are left the lowest of them counts", own: f3,
            found: .init(nodes: [f3, f2]),
            verdict: .join(f2)),
        Case(
            testDescription: "the same format", own: f2, found: .init(partitions: layout, borne: f2, nodes: [f2]),
            verdict: .join(f2)),
        Case(
            testDescription: "a newer node writes as the older ones do", own: f3,
            found: .init(partitions: layout, borne: f2, nodes: [f2]), verdict: .join(f2)),
        Case(
            testDescription: "an older node among newer ones while they write as it does", own: f2,
            found: .init(partitions: layout, borne: f2, nodes: [f3, f3]), verdict: .join(f2)),
        Case(
            testDescription: "an older node once all write otherwise", own: f2,
            found: .init(partitions: layout, borne: f3, nodes: [f3]), verdict: .refuse(.newer(3))),
        Case(
            testDescription: "what was begun in a format that is still read", own: f3,
            found: .init(partitions: layout, borne: f3, nodes: []), verdict: .join(f3)),
        Case(
            testDescription: "what was begun in one that is read no more", own: f4,
            found: .init(partitions: layout, borne: f3, nodes: []), verdict: .refuse(.older(2))),
        Case(
            testDescription: "what a release before the first number has left", own: f2,
            found: .init(partitions: "64"), verdict: .refuse(.unnumbered)),
        Case(
            testDescription: "a node of such a release in an index that is all there is", own: f2,
            found: .init(nodes: [f2, nil]), verdict: .refuse(.unnumbered)),
        Case(
            testDescription: "such a node where the deployment bears a number is on its way out", own: f2,
            found: .init(partitions: layout, borne: f2, nodes: [nil]), verdict: .join(f2)),
        Case(
            testDescription: "partitions of our own without a number are only begun", own: f2,
            found: .init(partitions: layout), verdict: .join(f2)),
        Case(
            testDescription: "other partitions under a number", own: f2,
            found: .init(partitions: "128 evenly tagged", borne: f2), verdict: .refuse(.partitions("128 evenly tagged"))
        ),
        Case(
            testDescription: "nodes alone that do not read what is written", own: f3,
            found: .init(nodes: [f4]), verdict: .refuse(.newer(4))),
        Case(
            testDescription: "nodes alone that write what is not read", own: f4,
            found: .init(nodes: [f2]), verdict: .refuse(.older(2))),
    ]

    @Test(arguments: cases) func `who may come, and what is written then`(_ one: Case) {
        #expect(one.own.verdict(on: one.found, having: one.last) == one.verdict)
    }

    @Test func `an entry of the index bears both numbers, and nothing else is taken for them`() {
        #expect(Format(Format(writes: 12, reads: 3).text) == Format(writes: 12, reads: 3))
        let far = "format=99999999999999999999 reads=1"
        for text in ["", "format=2", "reads=2", "format=2 reads=", "format= reads=2", "format=2 reads=2 ", "2 2", far] {
            #expect(Format(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [Format.Refusal.unnumbered, .older(1), .newer(9), .partitions("12")])
    func `each refusal says what to do`(_ refusal: Format.Refusal) {
        #expect("\(refusal)".contains("redis.prefix"))
    }
}
