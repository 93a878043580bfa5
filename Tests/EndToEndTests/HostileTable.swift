import Foundation
import TestKit
import Testing

/// Plays every attack in a larger size and prints who paid what, as a table of Markdown; for `MARTLET_HOSTILE_TABLE`, the
/// size, 1 being that of the tests. `MARTLET_TEST_NODE` names another executable to attack.
@Suite(
    "What attacks cost", .enabled(if: ProcessInfo.processInfo.environment["MARTLET_HOSTILE_TABLE"] != nil), .serialized)
struct HostileTable {
    private static let columns = [
        "attack", "took", "sent", "its CPU", "node CPU", "Redis CPU", "its part for a KiB", "sent back", "node grew",
        "Redis grew", "worst ping", "seen",
    ]

    @Test(arguments: Arena.Transport.allCases)
    func `who pays what for each attack`(_ transport: Arena.Transport) async throws {
        let scale = ProcessInfo.processInfo.environment["MARTLET_HOSTILE_TABLE"].flatMap { Int($0) } ?? 1
        print("\nOver \(transport)\n")
        print(row(HostileTable.columns))
        print(row(HostileTable.columns.map { _ in "---" }))
        let nobody = try await Arena.play(.nobody, over: transport)
        print(row([Attack.nobody.name] + cells(nobody, beyond: nobody)))
        for attack in Attack.all {
            do {
                print(
                    row(
                        [attack.name]
                            + cells(try await Arena.play(attack, over: transport, scale: scale), beyond: nobody)))
            } catch {
                let empty = [String](repeating: "", count: HostileTable.columns.count - 2)
                print(row([attack.name] + empty + ["could not be played: \(error)"]))
            }
            fflush(nil)
        }
    }

    /// - Parameter nobody: what the honest clients and the meter cost, which is no part of an attack's.
    private func cells(_ bill: Bill, beyond nobody: Bill) -> [String] {
        let seen = (bill.faults + bill.remarks).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        let honest = (nobody.nodeProcessor + nobody.redisProcessor) * (bill.duration / nobody.duration)
        let part = max(.zero, bill.nodeProcessor + bill.redisProcessor - honest)
        let price = part / .milliseconds(1) / (Double(bill.sentBytes) / 1024)
        return [
            time(bill.duration), bytes(bill.sentBytes), time(bill.ownProcessor), time(bill.nodeProcessor),
            time(bill.redisProcessor), bill.sentBytes == 0 ? "" : "\(number(price, digits: 2)) ms",
            bytes(bill.receivedBytes) + times(bill.receivedBytes, bill.sentBytes), bytes(bill.nodeBytes),
            bytes(bill.redisBytes), time(bill.worstPing), seen.prefix(4).joined(separator: "; "),
        ]
    }

    private func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }

    private func bytes(_ count: Int) -> String {
        switch count.magnitude {
        case ..<1024: "\(count) B"
        case ..<(1 << 20): "\(count >> 10) KiB"
        default: "\(count >> 20) MiB"
        }
    }

    private func times(_ back: Int, _ sent: Int) -> String {
        sent == 0 || back <= sent ? "" : " (\(number(Double(back) / Double(sent), digits: 0)) ×)"
    }

    private func time(_ duration: Duration) -> String { "\(number(duration / .milliseconds(1), digits: 0)) ms" }

    private func number(_ value: Double, digits: Int) -> String {
        value.formatted(.number.precision(.fractionLength(digits)))
    }
}

extension Attack {
    /// What the honest clients and the meter cost by themselves.
    fileprivate static let nobody = Attack(name: "nobody does anything for five seconds") { arena, _ in
        try await arena.pay { try await arena.wait(.seconds(5)) }
    }

    fileprivate static let all = [
        inflatedKeys, memberKeys, halfMessages, occupiedDoor, halfHandshakes, inventedSessions, idleCallers,
        fullRedis, floodedRoom, silentRedis, deafMembers, longPages, hugeBroadcast, dedupeKeys, resumedRooms,
        crowdOfOne,
        revolvingDoor, freshNames, inventedUsers, foreignPages, bannedTokens, curiousOutsiders,
    ]
}
