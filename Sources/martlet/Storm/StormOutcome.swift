import Foundation
import LoadBench
import StormJudge

/// What a storm has shown.
struct StormOutcome: Sendable {
    var reckoning = Reckoning()
    var published = 0
    var acknowledged = 0
    /// Answers that were none, or told of something that passes; each was asked again.
    var refused = 0
    var givenUp = 0
    var reconnects = 0
    /// The longest time in which one client heard nothing while it should have.
    var longestSilence = Duration.zero
    /// In each second.
    var deliveries: [Int] = []
    var notes: [String] = []

    /// Of the faults so many are named.
    private static let named = 100

    init() {}

    init(_ books: StormPublisher.Books, deliveries: [Int]) {
        published = books.published
        acknowledged = books.acknowledged
        refused = books.refused
        givenUp = books.givenUp
        self.deliveries = deliveries
    }

    /// By the names that the JSON has them under.
    private var counts: [(key: String, name: String, value: Int)] {
        [
            ("published", "published", published), ("acknowledged", "acknowledged", acknowledged),
            ("delivered", "delivered", reckoning.delivered), ("lost", "lost", reckoning.lost),
            ("doubled", "doubled", reckoning.doubled), ("outOfOrder", "out of order", reckoning.outOfOrder),
            ("differing", "other than in the log", reckoning.differing),
            ("falsePresence", "false presence", reckoning.falsePresence), ("gaps", "gaps told", reckoning.gaps),
            ("longestSilenceMs", "longest silence", Int(longestSilence / .milliseconds(1))),
            ("refusals", "tried again", refused), ("unacknowledged", "never acknowledged", givenUp),
            ("reconnects", "reconnects", reconnects),
        ]
    }

    private var faults: [String] {
        let more = reckoning.faults.count - StormOutcome.named
        return reckoning.faults.prefix(StormOutcome.named) + (more > 0 ? ["and \(more) more"] : [])
    }

    /// One object.
    func json() throws -> String {
        var object: [String: Any] = Dictionary(uniqueKeysWithValues: counts.map { ($0.key, $0.value) })
        object["faults"] = faults
        object["notes"] = notes
        let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .prettyPrinted])
        return String(decoding: data, as: UTF8.self)
    }

    func report(title: String, settings: [String]) -> BenchReport {
        var report = BenchReport(title: title, settings: settings)
        for count in counts { report.add(count.name, Double(count.value), count.key.hasSuffix("Ms") ? "ms" : "") }
        report.curves = [
            BenchReport.Curve(
                name: "deliveries, each second", xName: "second", yName: "deliveries",
                x: deliveries.indices.map { Double($0 + 1) }, y: deliveries.map(Double.init))
        ]
        report.notes = notes
        report.faults = faults
        return report
    }
}
