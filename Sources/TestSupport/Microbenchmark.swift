import Foundation

/// Times small pieces of code: `docker/local microbench` runs the suites that use it, whose names end in Microbenchmarks;
/// elsewhere they are left out.
package enum Microbenchmark {
    /// A body did nothing that its result depends on.
    package struct DidNothing: Error {}

    /// How often each piece is measured; nil where nothing is.
    package static let rounds = ProcessInfo.processInfo.environment["MARTLET_MICROBENCH"].flatMap { Int($0) }

    /// Prints what one operation of the body takes in its best round.
    ///
    /// - Parameters:
    ///   - operations: how many of them the body does.
    ///   - body: returns something that depends on all it has done, so that none of it is optimized away.
    ///   - tidy: what comes between two rounds and is not timed.
    package static func measure(
        _ name: String, operations: Int, test: String = #function, _ body: () throws -> Int,
        tidy: () throws -> Void = {}
    ) throws {
        var best = Duration.seconds(3600)
        var sum = try body()
        try tidy()
        for _ in 0..<(rounds ?? 1) {
            best = min(best, try ContinuousClock().measure { sum &+= try body() })
            try tidy()
        }
        guard sum != 0 else { throw DidNothing() }
        let nanoseconds = Double(best.components.attoseconds) / 1e9 + Double(best.components.seconds) * 1e9
        print("microbenchmark|\(test)|\(operations)|\(Int(nanoseconds / Double(operations)))|\(name)")
    }
}
