import Foundation
import TestKit
import Testing

/// Plays every attack in a larger size and prints who paid what, as a table of Markdown; for `MARTLET_HOSTILE_TABLE`, the
/// size, 1 being that of the tests. `MARTLET_TEST_NODE` names another executable to attack.
@Suite(
    "What attacks cost", .enabled(if: ProcessInfo.processInfo.environment["MARTLET_HOSTILE_TABLE"] != nil), .serialized)
struct HostileTable {
    @Test("who pays what for each attack")
    func table() async throws {
        let scale = ProcessInfo.processInfo.environment["MARTLET_HOSTILE_TABLE"].flatMap { Int($0) } ?? 1
        print(
            "| attack | sent | its CPU | node CPU | Redis CPU | sent back | node grew | Redis grew | worst ping | seen |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for attack in Attack.all {
            let bill: Bill
            do {
                bill = try await Arena.play(attack, scale: scale)
            } catch {
                print("| \(attack.name) | | | | | | | | | could not be played: \(error) |")
                continue
            }
            let faults = bill.faults.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
            let cells = [
                attack.name, bytes(bill.sentBytes), time(bill.ownProcessor), time(bill.nodeProcessor),
                time(bill.redisProcessor), bytes(bill.receivedBytes), bytes(bill.nodeBytes), bytes(bill.redisBytes),
                time(bill.worstPing), faults.prefix(4).joined(separator: "; "),
            ]
            print("| " + cells.joined(separator: " | ") + " |")
        }
    }

    private func bytes(_ count: Int) -> String {
        switch count.magnitude {
        case ..<1024: "\(count) B"
        case ..<(1 << 20): "\(count >> 10) KiB"
        default: "\(count >> 20) MiB"
        }
    }

    private func time(_ duration: Duration) -> String {
        "\((duration / .milliseconds(1)).formatted(.number.precision(.fractionLength(0)))) ms"
    }
}

extension Attack {
    static let all = [
        inflatedKeys, halfMessages, occupiedDoor, idleCallers, fullRedis, floodedRoom, silentRedis, deafMembers,
        longPages, hugeBroadcast, resumedRooms, crowdOfOne, revolvingDoor, freshNames,
    ]
}
