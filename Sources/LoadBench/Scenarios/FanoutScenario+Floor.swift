extension FanoutScenario {
    /// Measures the floor server with one message under way, then the gateway, and gives the ratio of their CPU.
    package func runBesideFloor(title: String, progress: RunProgress) throws -> BenchReport {
        var floor = self
        floor.publish.pace = .window(1)
        let yardstick = try floor.runOnFloor(title: title, progress: progress)
        var report = try run(title: title, progress: progress)
        let cost = "CPU per million \(FanoutScenario.costName)"
        if let low = yardstick.figure("server \(cost)"), low > 0 {
            report.add("floor \(cost)", low, "s")
            if let own = report.figure("server and redis \(cost)") ?? report.figure("server \(cost)") {
                report.add("ratio to floor", own / low, "x")
            }
        }
        report.faults += yardstick.faults.map { "floor: \($0)" }
        return report
    }
}
