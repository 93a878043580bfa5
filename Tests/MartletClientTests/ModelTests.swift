import MartletClient
import Synchronization
import Testing
import TestSupport

/// The client against a gateway that keeps its word, while connections are cut wherever it hurts.
@Suite struct ModelTests: ClientSuite {
    /// Cuts each connection after some requests; the last ones live.
    private final class Cutter: Sendable {
        private let state: Mutex<(random: SplitMix, left: Int)>

        init(seed: UInt64, cuts: Int) {
            state = Mutex((SplitMix(seed: seed), cuts))
        }

        /// After how many turns of the scheduler to cut; nil where there is to be peace.
        func next() -> Int? {
            state.withLock { state in
                guard state.left > 0 else { return nil }
                state.left -= 1
                return Int.random(in: 0..<400, using: &state.random)
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `every message is stored once, in its publisher's order, and handed on once`(seed: UInt64) async throws {
        let cutter = Cutter(seed: seed, cuts: 40)
        try await ModelGateway.run { peer in
            guard let turns = cutter.next() else { return }
            for _ in 0..<turns { await Task.yield() }
            peer.drop()
        } _: { model in
            var configuration = MartletClient.Configuration(url: model.url, credentials: .user("u"))
            configuration.firstDelay = .milliseconds(1)
            configuration.maxDelay = .milliseconds(2)
            let client = try MartletClient(configuration: configuration)
            let events = client.events
            // A cut may take the answer along.
            repeat { try await client.connect() } while (try? await client.join("r")) == nil
            let publishers = 4
            let each = 100
            let acks = try await withThrowingTaskGroup(of: [Int].self) { group in
                for publisher in 0..<publishers {
                    group.addTask {
                        var acks: [Int] = []
                        for number in 0..<each {
                            acks.append(try await client.publish(Array("\"\(publisher)-\(number)\"".utf8), to: "r").seq)
                            if publisher == 0, number % 25 == 0 { model.forget() }
                        }
                        return acks
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let total = publishers * each
            #expect(acks.flatMap { $0 }.sorted() == Array(1...total))
            #expect(acks.allSatisfy { $0 == $0.sorted() })
            let stored = model.payloads
            #expect(stored.count == total)
            #expect(Set(stored).count == total)

            var seen: [String] = []
            for await event in events {
                switch event {
                case .message(let message):
                    #expect(message.seq == seen.count + 1)
                    seen.append(String(decoding: message.payload, as: UTF8.self))
                case .gap: Issue.record("a gap was told")
                default: break
                }
                if seen.count == total { break }
            }
            #expect(seen == stored)
            await client.close()
        }
    }
}
