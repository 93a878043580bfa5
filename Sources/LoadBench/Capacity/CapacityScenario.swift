/// Measures what a node costs on this machine, in about a minute: connections, idle time, messages to few and to many.
package struct CapacityScenario {
    package var options: LoadOptions
    package var api: LoopbackTarget
    package var key: String

    private static let connections = 3_000
    private static let rooms = 300
    /// Rooms times members of the two runs that publish; their difference tells a message's cost from a delivery's.
    private static let crowds = [(rooms: 200, members: 1), (rooms: 2, members: 300)]

    package init(options: LoadOptions, api: LoopbackTarget, key: String) {
        self.options = options
        self.api = api
        self.key = key
    }

    /// - Throws: where a run was not made, or something was lost in it.
    package func measure(payloadBytes: Int, progress: RunProgress) throws -> CapacityModel.Costs {
        let idle = try checked(
            ConnectScenario(
                options: options, connections: Self.connections, rooms: Self.rooms, joins: true, holdSeconds: 10,
                settleSeconds: 3
            ).run(title: "capacity", progress: progress))
        var runs: [Run] = []
        for (number, crowd) in Self.crowds.enumerated() {
            var options = options
            options.roomPrefix += "\(number)-"
            let scenario = FanoutScenario(
                options: options, rooms: crowd.rooms, members: crowd.members, publishers: 4, payloadBytes: payloadBytes,
                picksRandomly: false,
                publish: PublishPlan(
                    way: .rest(api: api, key: key), pace: .window(4), messages: .max, seconds: 8, warmupSeconds: 1,
                    drainSeconds: 10))
            runs.append(try Run(checked(scenario.run(title: "capacity", progress: progress))))
        }
        func each(_ name: String) throws -> Double { try Self.figure(name, of: idle) / Double(Self.connections) }
        let server = Self.costs(runs[0], runs[1], \.server)
        return CapacityModel.Costs(
            nodeBytesPerConnection: max(0, try Self.figure("server memory per connection", of: idle) * 1024),
            redisBytesPerConnection: max(0, try Self.figure("redis memory per connection", of: idle) * 1024),
            nodeIdlePerConnection: try Self.figure("server CPU per second and connection", of: idle) / 1e6,
            redisIdlePerConnection: try Self.figure("redis CPU per second and connection", of: idle) / 1e6,
            nodePerConnect: try each("server CPU"), redisPerConnect: try each("redis CPU"),
            nodePerMessage: server.message, redisPerMessage: runs[0].redis / runs[0].messages,
            nodePerDelivery: server.delivery)
    }

    private struct Run {
        let messages: Double, deliveries: Double, server: Double, redis: Double

        init(_ report: BenchReport) throws {
            messages = try CapacityScenario.figure("messages", of: report)
            deliveries = try CapacityScenario.figure("deliveries", of: report)
            server = try CapacityScenario.figure("server CPU", of: report)
            redis = try CapacityScenario.figure("redis CPU", of: report)
            guard messages > 0, deliveries > 0 else { throw BenchFailure("nothing was published") }
        }
    }

    /// Two runs, two unknowns: what a message costs, and what each delivery.
    private static func costs(
        _ few: Run, _ many: Run, _ seconds: KeyPath<Run, Double>
    ) -> (message: Double, delivery: Double) {
        solve(
            (few.messages, few.deliveries, few[keyPath: seconds]),
            (many.messages, many.deliveries, many[keyPath: seconds]))
    }

    /// Of `messages × m + deliveries × d = seconds`, twice; neither is below nothing, whatever the clock's steps say.
    package static func solve(
        _ one: (messages: Double, deliveries: Double, seconds: Double),
        _ other: (messages: Double, deliveries: Double, seconds: Double)
    ) -> (message: Double, delivery: Double) {
        let determinant = one.messages * other.deliveries - other.messages * one.deliveries
        guard determinant != 0 else { return (one.seconds / max(1, one.messages), 0) }
        let message = (one.seconds * other.deliveries - other.seconds * one.deliveries) / determinant
        let delivery = (one.messages * other.seconds - other.messages * one.seconds) / determinant
        return (max(0, message), max(0, delivery))
    }

    private func checked(_ report: BenchReport) throws -> BenchReport {
        guard let fault = report.faults.first else { return report }
        throw BenchFailure("the measurement failed: \(fault)")
    }

    fileprivate static func figure(_ name: String, of report: BenchReport) throws -> Double {
        guard let figure = report.figure(name) else { throw BenchFailure("there is no figure \"\(name)\"") }
        return figure
    }
}
