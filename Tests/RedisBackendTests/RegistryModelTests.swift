import Foundation
import Testing

import RedisBackend

@Suite("Registration against a model of Redis")
struct RegistryModelTests {
    @Test
    func `in 100,000 random steps every call is answered once, and table and registry agree whenever all is quiet`()
        throws
    {
        let given = ProcessInfo.processInfo.environment["MARTLET_TEST_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: .min ... .max)
        let run = RegistryModelRun(seed: seed, nodes: 3)
        while run.steps < 100_000 {
            for _ in 0..<500 { run.step() }
            run.settle()
            let found = run.disagreements()
            try #require(found.isEmpty, "seed \(seed), step \(run.steps): \(found.prefix(3).joined(separator: "\n"))")
        }
        #expect(run.answered > 5_000 && run.resumed > 100, "seed \(seed): \(run.answered), \(run.resumed)")
        print("registration model: seed \(seed), \(run.answered) answers, \(run.resumed) sessions gone on with")
    }
}
