import TestKit
import Testing

extension Bill {
    /// By how much the executable under test is slower than one that is built to be fast.
    static var buildFactor: Double { (try? NodeProcess.executable)?.contains("/debug/") == true ? 12 : 1 }

    /// What a handshake of TLS may cost the node besides, and what its connection may hold.
    private static let handshake = (processor: Duration.milliseconds(3), bytes: 64 << 10)

    /// Nobody else was to notice anything, and the node was to pay no more than this.
    ///
    /// - Parameters:
    ///   - processor: for a fast executable on a machine that has time.
    ///   - redis: processor time of Redis.
    func expect(
        processor: Duration, redis: Duration = .seconds(60), nodeMiB: Int = 1024, redisMiB: Int = 1024,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        print(self)
        #expect(faults == [], sourceLocation: sourceLocation)
        #expect(worstPing < pingLimit, "slowness \(slowness)", sourceLocation: sourceLocation)
        let processor = processor + Bill.handshake.processor * handshakes
        #expect(nodeProcessor < processor * Bill.buildFactor, sourceLocation: sourceLocation)
        #expect(redisProcessor < redis, sourceLocation: sourceLocation)
        #expect(nodeBytes < nodeMiB << 20 + Bill.handshake.bytes * handshakes, sourceLocation: sourceLocation)
        #expect(redisBytes < redisMiB << 20, sourceLocation: sourceLocation)
    }
}

extension Bill: CustomStringConvertible {
    var description: String {
        func ms(_ time: Duration) -> String { "\(Int(time / .milliseconds(1))) ms" }
        let parts = [
            "\(sentBytes >> 10) KiB in \(ms(duration))", "node \(ms(nodeProcessor))", "Redis \(ms(redisProcessor))",
            "\(receivedBytes >> 10) KiB back", "node grew \(nodeBytes >> 10) KiB", "Redis \(redisBytes >> 10) KiB",
            "worst ping \(ms(worstPing)) of \(ms(pingLimit))",
        ]
        return (parts + remarks).joined(separator: ", ")
    }
}
