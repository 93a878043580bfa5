import GatewayCore
import RedisBackend
import Synchronization
import Testing

@Suite struct BoundedMessageLogTests {
    /// Answers publishes when it is told to.
    private final class SilentLog: MessageLog {
        typealias Answer = @Sendable (Result<Published, BackendError>) -> Void

        private let answers = Mutex<[Answer]>([])

        func publish(_ publication: Publication, reply: @escaping Answer) {
            answers.withLock { $0.append(reply) }
        }

        func answerAll() {
            let waiting = answers.withLock { answers in
                defer { answers = [] }
                return answers
            }
            let published = Published(position: Position(epoch: "e", seq: 1), timestamp: 1)
            for answer in waiting { answer(.success(published)) }
        }

        func history(
            of room: RoomName, range: HistoryRange,
            reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void
        ) {}

        func claim(
            key: String, digest: String, id: String, beside room: RoomName,
            reply: @escaping @Sendable (Result<String, BackendError>) -> Void
        ) {}
    }

    private final class Results: Sendable {
        private let notes = Mutex<[String]>([])

        var all: [String] { notes.withLock { $0 } }

        func note(_ result: String) { notes.withLock { $0.append(result) } }
    }

    @Test func `messages on their way are bounded: one too many is unavailable at once, until others are answered`() {
        let silent = SilentLog()
        let memory = MemoryAccount(budget: 40_000)
        let log = BoundedMessageLog(silent, memory: memory)
        let results = Results()
        let publication = Publication(
            room: RoomName(unchecked: "r"), userId: .system, payload: [UInt8](repeating: 0x31, count: 4000))
        func publish() {
            log.publish(publication) { result in
                let isStored = if case .success = result { true } else { false }
                results.note(isStored ? "stored" : "refused")
            }
        }
        for _ in 1...3 { publish() }
        #expect(results.all == ["refused"])
        #expect(memory.held(.publishes) == 2 * publication.memoryBytes)
        silent.answerAll()
        #expect(memory.held == 0)
        publish()
        silent.answerAll()
        #expect(results.all == ["refused", "stored", "stored", "stored"])
    }
}
