import Foundation
import LoadBench
import Testing

@Suite struct ReportTests {
    private let report: BenchReport = {
        var report = BenchReport(title: "martlet bench <x>", settings: ["1 room & more"])
        report.add("deliveries", 1234)
        report.add("server CPU per million deliveries", 9.876, "s")
        var latency = Histogram()
        for value in 1...1000 { latency.record(UInt64(value) * 10_000) }
        report.latency = latency
        report.steps = [100, 200].map {
            BenchReport.Step(
                connections: $0, deliveriesPerSecond: 10, p50Milliseconds: 1, p99Milliseconds: 2, errorPercent: 0,
                serverPercent: 50, redisPercent: 1, serverMiB: 30, broken: $0 == 200 ? "p99" : nil)
        }
        report.faults = ["3 messages repeated"]
        return report
    }()

    @Test func `the table names every figure, step and fault`() {
        let table = report.table
        for text in ["deliveries", "1234", "9.88  s", "p99", "3 messages repeated", "FAULTS"] {
            #expect(table.contains(text), "\(text)")
        }
    }

    @Test func `the page loads nothing and escapes what it is given`() {
        let page = report.html
        #expect(page.contains("martlet bench &lt;x&gt;"))
        #expect(page.contains("1 room &amp; more"))
        for text in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
            #expect(!page.contains(text), "\(text)")
        }
        // Four curves of the steps, one histogram.
        #expect(page.components(separatedBy: "<svg").count == 6)
    }

    @Test func `the JSON holds what the report does`() throws {
        let read = try JSONDecoder().decode(BenchReport.self, from: Data(report.json.utf8))
        #expect(read.figures == report.figures)
        #expect(read.faults == report.faults)
        #expect(read.latency == report.latency)
    }

    @Test func `an empty report is a page too`() {
        let empty = BenchReport(title: "", settings: [])
        #expect(empty.html.contains("</html>"))
        #expect(empty.table.contains("no faults"))
    }
}
