/// The report of a scenario.
package struct BenchReport: Codable, Sendable {
    /// One measured value.
    package struct Figure: Codable, Sendable, Equatable {
        package var name: String
        package var value: Double
        package var unit: String

        package init(_ name: String, _ value: Double, _ unit: String = "") {
            self.name = name
            self.value = value
            self.unit = unit
        }
    }

    /// One step of a ladder.
    package struct Step: Codable, Sendable {
        package var connections: Int
        package var deliveriesPerSecond: Double
        package var p50Milliseconds: Double
        package var p99Milliseconds: Double
        /// Part of the expected deliveries and connections that failed, in percent.
        package var errorPercent: Double
        /// CPU of server and Redis, in percent of one core.
        package var serverPercent: Double
        package var redisPercent: Double
        package var serverMiB: Double
        /// Which limit it broke; nil where it held all.
        package var broken: String?

        package init(
            connections: Int, deliveriesPerSecond: Double, p50Milliseconds: Double, p99Milliseconds: Double,
            errorPercent: Double, serverPercent: Double, redisPercent: Double, serverMiB: Double, broken: String? = nil
        ) {
            self.connections = connections
            self.deliveriesPerSecond = deliveriesPerSecond
            self.p50Milliseconds = p50Milliseconds
            self.p99Milliseconds = p99Milliseconds
            self.errorPercent = errorPercent
            self.serverPercent = serverPercent
            self.redisPercent = redisPercent
            self.serverMiB = serverMiB
            self.broken = broken
        }
    }

    /// One value over another.
    package struct Curve: Codable, Sendable {
        package var name: String
        package var xName: String
        package var yName: String
        package var x: [Double]
        package var y: [Double]

        package init(name: String, xName: String, yName: String, x: [Double], y: [Double]) {
            self.name = name
            self.xName = xName
            self.yName = yName
            self.x = x
            self.y = y
        }
    }

    /// `martlet bench …`, as it was asked.
    package var title: String
    package var settings: [String]
    package var figures: [Figure] = []
    package var latency: Histogram?
    /// What `latency` is the time of.
    package var latencyName = "latency"
    package var steps: [Step] = []
    package var curves: [Curve] = []
    /// What a reader of the figures should know.
    package var notes: [String] = []
    /// What was lost, repeated, out of order, damaged or refused; empty when all went well.
    package var faults: [String] = []

    package init(title: String, settings: [String]) {
        self.title = title
        self.settings = settings
    }

    package mutating func add(_ name: String, _ value: Double, _ unit: String = "") {
        figures.append(Figure(name, value, unit))
    }

    /// Adds a histogram of nanoseconds with its quantiles, in milliseconds.
    mutating func add(latency: Histogram, name: String) {
        self.latency = latency
        latencyName = name
        for (label, part) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
            add("\(name) \(label)", Double(latency.quantile(part)) / 1e6, "ms")
        }
        add("\(name) max", Double(latency.max) / 1e6, "ms")
    }

    /// The figure of this name.
    package func figure(_ name: String) -> Double? { figures.first { $0.name == name }?.value }
}
