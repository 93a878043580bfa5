import Foundation
import GatewayCore
import SocketServer
import Synchronization

/// Measures what the node has to do, each time its beat asks.
final class LoadMeter: Sendable {
    private struct Reading {
        var processorSeconds: Double
        var time: ContinuousClock.Instant
    }

    private let census = Mutex<Census?>(nil)
    private let last = Mutex(Reading(processorSeconds: LoadMeter.processorSeconds, time: .now))

    /// From here on the connections of this port are counted.
    func attach(_ census: Census) {
        self.census.withLock { $0 = census }
    }

    /// The present load; `processor` is the mean since the last reading.
    func read() -> NodeLoad {
        let status = census.withLock { $0 }?.status
        let now = Reading(processorSeconds: LoadMeter.processorSeconds, time: .now)
        let processor = last.withLock { last in
            defer { last = now }
            let elapsed = last.time.duration(to: now.time) / .seconds(1)
            return elapsed > 0 ? (now.processorSeconds - last.processorSeconds) / elapsed : 0
        }
        return NodeLoad(
            connections: status?.connections ?? 0, rooms: status?.rooms ?? 0, processor: processor,
            isDraining: status?.isDraining ?? false)
    }

    /// What all threads of this process have used so far.
    private static var processorSeconds: Double {
        var usage = rusage()
        // It fails only for a bad pointer or an unknown kind.
        _ = getrusage(RUSAGE_SELF.rawValue, &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
