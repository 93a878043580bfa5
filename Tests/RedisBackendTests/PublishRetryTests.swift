import GatewayCore
import RedisBackend
import RedisClient
import TestKit
import TestSupport
import Testing

/// What a link's retries find of what it sent before a break, whatever Redis refused of that.
@Suite("A publish that is sent again")
struct PublishRetryTests {
    private let redis: RedisServerProcess
    private let observer: Observer
    private var link: ScriptedLink
    private let other: ScriptedLink

    init() throws {
        redis = try RedisServerProcess()
        observer = try Observer(redis)
        link = ScriptedLink(observer: observer, name: "link0001", client: 1)
        other = ScriptedLink(observer: observer, name: "link0002", client: 2)
    }

    @Test mutating func `behind a refusal nothing is stored twice, and what was refused stays so`() async throws {
        for number in [1, 3, 4] { _ = try await link.send(number) }
        link.client = 3
        #expect(try await link.retry(1...4) == ["1", "refused", "2", "3"])
        #expect(try await link.send(5) == "4")
        #expect(try await link.log() == ["1", "3", "4", "5"])
    }

    @Test mutating func `what is not stored is not sent a second time, whatever became of the first`() async throws {
        #expect(try await link.send(1, isVolatile: true) == "0")
        link.client = 3
        #expect(try await link.send(1, isRetry: true, isVolatile: true) == "unknown")
        #expect(try await link.send(2, isRetry: true, isVolatile: true) == "unknown")
        #expect(try await link.send(3, isVolatile: true) == "0")
        #expect(try await link.log() == [])
    }

    @Test mutating func `what nothing was stored behind is stored once, in order`() async throws {
        _ = try await link.send(1)
        link.client = 3
        #expect(try await link.retry(1...3) == ["1", "2", "3"])
        link.client = 4
        #expect(try await link.retry(2...4) == ["2", "3", "4"])
        #expect(try await link.log() == ["1", "2", "3", "4"])
    }

    @Test mutating func `the first of all, and several in a row, may be what was refused`() async throws {
        for number in [4, 7] { _ = try await link.send(number) }
        link.client = 3
        #expect(
            try await link.retry(1...9) == Array(repeating: "refused", count: 3) + [
                "1", "refused", "refused", "2", "3", "4",
            ])
        #expect(try await link.log() == ["4", "7", "8", "9"])
    }

    @Test mutating func `a second break in the middle of the retries changes nothing`() async throws {
        for number in [1, 3, 5] { _ = try await link.send(number) }
        link.client = 3
        #expect(try await link.retry(1...2) == ["1", "refused"])
        link.client = 4
        #expect(try await link.retry(2...6) == ["refused", "2", "refused", "3", "4"])
        link.client = 5
        #expect(try await link.retry(6...7) == ["4", "5"])
        #expect(try await link.log() == ["1", "3", "5", "6", "7"])
    }

    @Test mutating func `what others stored in between is passed by`() async throws {
        for number in 1...29 {
            if number % 3 != 0 { _ = try await link.send(number) }
            for copy in 0..<4 { _ = try await other.send(4 * number + copy) }
        }
        link.client = 3
        let answers = try await link.retry(1...29)
        #expect(answers.enumerated().allSatisfy { ($0.offset % 3 == 2) == ($0.element == "refused") })
        #expect(try await link.log().count == 20 + 116)
    }

    @Test mutating func `what the log no longer holds is unknown, not stored again`() async throws {
        for number in 1...3 { _ = try await link.send(number) }
        for number in 1...5 { _ = try await other.send(number) }
        try await trim(to: 6)
        link.client = 3
        #expect(try await link.retry(1...3) == ["unknown", "unknown", "3"])
        try await trim(to: 2)
        link.client = 4
        #expect(try await link.retry(3...3) == ["unknown"])
        #expect(try await link.send(4) == "9")
        link.client = 5
        #expect(try await link.retry(4...4) == ["9"])
    }

    @Test mutating func `what went out of the log between two retries of a connection is unknown`() async throws {
        for number in 1...3 { _ = try await link.send(number) }
        for number in 1...5 { _ = try await other.send(number) }
        link.client = 3
        #expect(try await link.retry(1...1) == ["1"])
        try await trim(to: 4)
        #expect(try await link.retry(2...3) == ["unknown", "unknown"])
    }

    @Test mutating func `a room whose log has ended by its age takes what was never stored`() async throws {
        _ = try await link.send(1)
        _ = try await redis.cli("DEL", Keys(prefix: "m").log(room).name)
        link.client = 3
        #expect(try await link.retry(2...2) == ["2"])
    }

    @Test mutating func `a clock that has stepped forward hides nothing that was stored`() async throws {
        for number in [1, 3] { _ = try await link.send(number) }
        try await stepForward()
        link.client = 3
        #expect(try await link.retry(1...3) == ["1", "refused", "2"])
    }

    @Test mutating func `a clock that has stepped forward does not let what went out of the log be stored again`()
        async throws
    {
        for number in 1...3 { _ = try await link.send(number) }
        for number in 1...5 { _ = try await other.send(number) }
        try await trim(to: 3)
        try await stepForward()
        link.client = 3
        #expect(try await link.retry(2...3) == ["unknown", "unknown"])
    }

    @Test
    mutating func `in a room that was quiet for long what was never stored is stored, though the log began later`()
        async throws
    {
        for number in 1...6 { _ = try await other.send(number) }
        try await trim(to: 3)
        try await store { 600_000 * Int64($0) }
        link.client = 3
        #expect(try await link.retry(1...1) == ["7"])
    }

    @Test mutating func `a sender's repeat of what was refused is a new attempt`() async throws {
        let mark = DedupeMark(owner: .user(UserID(unchecked: "alice")), key: "k")
        for number in [1, 3] { _ = try await link.send(number) }
        link.client = 3
        #expect(try await link.send(2, isRetry: true, dedupe: mark) == "refused")
        #expect(try await link.send(4, dedupe: mark) == "3")
        #expect(try await link.send(5, dedupe: mark) == "3")
    }

    @Test(arguments: 1...8)
    mutating func `whatever is refused and wherever links break, each is stored once at most, in order`(
        seed: UInt64
    ) async throws {
        var random = SplitMix(seed: seed)
        var open: [(number: Int, isRetry: Bool)] = []
        var answers: [Int: String] = [:]
        var next = 1
        for connection in 3...14 {
            link.client = Int64(connection)
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                open.append((next, false))
                next += 1
            }
            let reached = Int.random(in: 0...open.count, using: &random)
            let answered = Int.random(in: 0...reached, using: &random)
            for (index, one) in open.prefix(reached).enumerated() {
                if Bool.random(using: &random) { _ = try await other.send(1000 * connection + index) }
                let isRefused = Int.random(in: 0..<4, using: &random) == 0
                let answer = isRefused ? "oom" : try await link.send(one.number, isRetry: one.isRetry)
                if index < answered { answers[one.number] = answer }
            }
            // What was written is sent again as such, whether or not it reached Redis.
            let written = Int.random(in: reached...open.count, using: &random)
            open = open.enumerated().dropFirst(answered).map { ($1.number, $1.isRetry || $0 < written) }
        }
        let log = try await link.log()
        let own = log.compactMap(Int.init).filter { $0 < 1000 }
        #expect(own == Array(Set(own)).sorted())
        for (number, answer) in answers {
            // A refusal of Redis's own says nothing of an earlier try.
            guard answer != "oom" else { continue }
            #expect(Int(answer).map { log[$0 - 1] == "\(number)" } ?? !own.contains(number), "\(number): \(answer)")
        }
    }

    /// As if all had been stored an hour ago.
    private func stepForward() async throws { try await store { _ in 3_600_000 } }

    /// As if each entry of the log, counted from the latest, which is 1, had been stored so many milliseconds earlier.
    private func store(earlier: (Int) -> Int64) async throws {
        let log = Keys(prefix: "m").log(room).name
        let entries = try await observer.link.send(["XRANGE", .string(log), "-", "+"]).array ?? []
        _ = try await redis.cli("DEL", log)
        for (index, entry) in entries.enumerated() {
            var fields = (entry[1].array ?? []).map { RedisArgument.string($0.string ?? "") }
            let stored = entry[1][1].integer ?? Int64(entry[1][1].string ?? "") ?? 0
            fields[1] = .integer(stored - earlier(entries.count - index))
            _ = try await observer.link.send(["XADD", .string(log), .string(entry[0].string ?? "")] + fields)
        }
    }

    private func trim(to count: Int) async throws {
        _ = try await redis.cli("XTRIM", Keys(prefix: "m").log(room).name, "MAXLEN", "\(count)")
    }
}

/// A link as the script sees it: what it sends, with which number and on which connection.
private struct ScriptedLink {
    let observer: Observer
    let name: String
    /// Another one after each break.
    var client: Int64

    /// Where it was stored, or why it was not.
    func send(
        _ number: Int, isRetry: Bool = false, dedupe: DedupeMark? = nil, isVolatile: Bool = false
    ) async throws -> String {
        var publish = Publish(
            Array("1 0 \(number)".utf8), to: room, under: dedupe, limits: LogLimits(size: 1000, age: .seconds(3600)),
            candidate: "e1", link: name)
        publish.isVolatile = isVolatile
        let call = publish.spelled(with: observer.keys)
        let arguments = call.arguments.map { argument -> RedisArgument in
            switch argument {
            case .attempt: isRetry ? 1 : 0
            case .connection: .integer(client)
            case .numbered(let name): .string("\(name)\(number)")
            case .bytes, .string, .integer, .server: argument
            }
        }
        do {
            let reply = try await observer.link.call(
                publish.file, keys: call.declared(by: Keys(prefix: "m")), arguments: arguments)
            return "\(reply[1].integer ?? 0)"
        } catch {
            guard case .reply(let code, let message) = error, code == "MARTLET" else { throw error }
            return message
        }
    }

    func retry(_ numbers: ClosedRange<Int>) async throws -> [String] {
        var answers: [String] = []
        for number in numbers { answers.append(try await send(number, isRetry: true)) }
        return answers
    }

    /// The payloads that the log holds.
    func log() async throws -> [String] {
        let entries = try await observer.link.send(["XRANGE", .string(observer.keys.log(room).name), "-", "+"])
        return (entries.array ?? []).compactMap { $0[1][5].string?.split(separator: " ").last.map(String.init) }
    }
}
