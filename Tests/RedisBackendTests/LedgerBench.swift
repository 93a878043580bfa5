import GatewayCore
import Logging
import NIOCore
import NIOPosix
import RedisBackend
import RedisClient
import TestKit

/// One partition's ledger on a real Redis, written by the test's own hand.
final class LedgerBench: Sendable {
    let redis: RedisServerProcess
    let link: RedisCommandLink
    let ledger: any EventLedger
    let directory: any WebhookDirectory
    let receiver: WebhookReceiver
    let assignment = LedgerAssignment(partition: 17, token: "node:1 1")
    private let keys = Keys(prefix: "m")

    var events: String { keys.events(Partition(number: 17)).name }

    init(
        _ settings: WebhookLedgerSettings = .init(), options: RedisServerProcess.Options = .init(),
        url: String = "http://a"
    ) async throws {
        receiver = WebhookReceiver(name: "hook-a", url: url, types: nil)
        redis = try RedisServerProcess(options)
        link = RedisCommandLink(
            configuration: try RedisConfiguration(url: redis.url),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), scripts: Scripts.all)
        link.start()
        let store = Store(link: link, keys: keys)
        ledger = store.eventLedger(settings)
        directory = store.webhookDirectory([receiver])
        try await claim(assignment)
    }

    deinit {
        _ = link.shutdown()
    }

    private func claim(_ assignment: LedgerAssignment) async throws {
        let key = keys.coordinator(Partition(number: assignment.partition)).name
        _ = try await link.send(["SET", .string(key), .string(assignment.token)])
    }

    /// Another node coordinates the partition from now on.
    func takeOver() async throws -> LedgerAssignment {
        let next = LedgerAssignment(partition: assignment.partition, token: "other:2 2")
        try await claim(next)
        return next
    }

    /// `type user cause` each.
    func write(_ transitions: [String]) async throws {
        for transition in transitions {
            let fields = transition.split(separator: " ").map(String.init) + ["", ""]
            _ = try await link.send([
                "XADD", .string(events), "*", "t", .string(fields[0]), "u", .string(fields[1]), "r", "", "c",
                .string(fields[2]),
            ])
        }
    }

    /// As `publish` writes a message: from `bo b`, in lesson-1, at 1234.
    func writeMessage(_ payload: String) async throws {
        _ = try await link.send([
            "XADD", .string(events), "*", "t", "message.published", "u", "", "r", "lesson-1", "c", "", "e", "e1", "q",
            7, "m", 1234, "b", .string("1 4 bo b\(payload)"),
        ])
    }

    func gather(
        for receiver: WebhookReceiver? = nil, under assignment: LedgerAssignment? = nil
    ) async throws(LedgerError) -> LedgerBatch? {
        try await ledger.gather(assignment ?? self.assignment, for: receiver ?? self.receiver)
    }

    func settle(
        _ batch: LedgerBatch, for receiver: WebhookReceiver? = nil, under assignment: LedgerAssignment? = nil,
        as outcome: LedgerOutcome = .sent
    ) async throws(LedgerError) {
        try await ledger.settle(batch, of: assignment ?? self.assignment, for: receiver ?? self.receiver, as: outcome)
    }

    func length() async throws -> Int {
        Int(try await link.send(["XLEN", .string(events)]).integer ?? -1)
    }

    func deadLetters(of receiver: WebhookReceiver) async throws -> Int {
        let key = keys.deadLetters(of: receiver.name, Partition(number: assignment.partition))
        return Int(try await link.send(["XLEN", .string(key.name)]).integer ?? -1)
    }

    func status() async throws -> WebhookStatus {
        try await directory.webhooks()[0]
    }
}

extension LedgerBatch {
    /// `type user cause` of each event.
    var texts: [String] {
        events.map { event in
            [event.type, event.userId, event.cause].compactMap(\.self).joined(separator: " ")
        }
    }
}
