import NIOCore
import RedisClient
import TestKit
import Testing
import TestSupport

/// A link whose answers wait for a replica, on a real pair.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ReplicaConfirmationFaults {
    private func withConfirmedLink(
        waiting timeout: Duration, commandTimeout: Duration = .seconds(30),
        _ body: (RedisReplicaPair, RedisCommandLink) async throws -> Void
    ) async throws {
        let pair = try await RedisReplicaPair.start(nodes: 1)
        var configuration = try RedisConfiguration(url: pair.urls[0])
        configuration.reconnectCeiling = .milliseconds(100)
        configuration.commandTimeout = commandTimeout
        configuration.confirmation = ReplicaConfirmation(timeout: timeout)
        try await withLink(configuration) { link, _ in try await body(pair, link) }
        try await pair.stop()
    }

    private func calls(of command: String, _ server: RedisServerProcess) async throws -> Int {
        let stats = try await server.cli("INFO", "commandstats")
        let line = stats.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_\(command):calls=") }
        return line.flatMap { Int($0.drop { $0 != "=" }.dropFirst().prefix { $0 != "," }) } ?? 0
    }

    @Test func `an answer comes only when a replica has what was written`() async throws {
        try await withConfirmedLink(waiting: .seconds(10)) { pair, link in
            #expect(try await link.send(["RPUSH", "list", "0"]).integer == 1)
            #expect(try await pair.replica.cli("LLEN", "list") == "1")
            pair.replica.pause()
            let answers = Recorder<Answer>()
            // In one turn of the loop: in two, the later ones would wait behind the WAIT of the first.
            try await link.eventLoop.submit {
                for number in 1...3 { link.send(["RPUSH", "list", "x"], as: number, to: answers) }
            }.get()
            try await eventually { try await pair.primary.cli("LLEN", "list") == "4" }
            #expect(answers.all.isEmpty)
            pair.replica.resume()
            try await answers.until { $0.count == 3 }
            #expect(answers.all.map(\.number) == [1, 2, 3])
            #expect(answers.all.map(\.result) == [.success(":2"), .success(":3"), .success(":4")])
        }
    }

    @Test func `without a replica in time the callers hear that it is unconfirmed, and the next try is answered`()
        async throws
    {
        try await withConfirmedLink(waiting: .milliseconds(200)) { pair, link in
            pair.replica.pause()
            await #expect(throws: RedisError.unconfirmed) { try await link.send(["SET", "k", "1"]) }
            await #expect(throws: RedisError.unconfirmed) { try await link.send(["SET", "k", "2"]) }
            pair.replica.resume()
            try await pair.caughtUp()
            #expect(try await link.send(["SET", "k", "3"]).string == "OK")
            #expect(try await pair.replica.cli("GET", "k") == "3")
        }
    }

    @Test func `an answer that lost its WAIT goes again: the new link's own WAIT would say nothing of it`() async throws
    {
        try await withConfirmedLink(waiting: .seconds(10)) { pair, link in
            _ = try await link.send(["PING"])
            pair.replica.pause()
            let answers = Recorder<Answer>()
            link.send(["RPUSH", "list", .attempt], as: 1, to: answers)
            try await eventually { try await pair.primary.cli("LLEN", "list") == "1" }
            try await pair.cut(0)
            try await eventually { try await pair.primary.cli("LLEN", "list") == "2" }
            #expect(answers.all.isEmpty)
            pair.replica.resume()
            try await answers.until { $0.count == 1 }
            #expect(answers.all.map(\.result) == [.success(":2")])
            #expect(try await pair.replica.cli("LRANGE", "list", "0", "-1") == "0\n1")
        }
    }

    @Test func `commands of one turn share a WAIT`() async throws {
        try await withConfirmedLink(waiting: .seconds(10)) { pair, link in
            let answers = Recorder<Answer>()
            link.eventLoop.execute {
                for number in 1...1000 { link.send(["INCR", "k"], as: number, to: answers) }
            }
            try await answers.until { $0.count == 1000 }
            #expect(answers.all.map(\.number) == Array(1...1000))
            #expect(try await calls(of: "wait", pair.primary) == 1)
        }
    }
}
