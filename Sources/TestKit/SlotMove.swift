/// A slot on its way from one primary to another, key by key: what is called resharding, and what `redis-cli --cluster
/// reshard` does.
///
/// From its beginning to its end a command for keys that are partly, or not, where it is sent gets TRYAGAIN or ASK.
package struct SlotMove: Sendable {
    package let slot: Int
    package let source: ClusterServer
    package let target: ClusterServer
    private let group: ClusterGroup

    /// Says to both that the slot is on its way.
    init(_ slot: Int, from source: ClusterServer, to target: ClusterServer, of group: ClusterGroup) async throws {
        self.slot = slot
        self.source = source
        self.target = target
        self.group = group
        try await target.process.ask("CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", source.id)
        try await source.process.ask("CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", target.id)
    }

    /// Moves so many keys at most; answers how many are left.
    @discardableResult
    package func moveKeys(_ most: Int) async throws -> Int {
        let keys = try await source.process.ask("CLUSTER", "GETKEYSINSLOT", "\(slot)", "\(most)").items
            .compactMap(\.text)
        if !keys.isEmpty {
            let login = target.process.password.map { ["AUTH", $0] } ?? []
            let place = ["127.0.0.1", "\(target.process.port ?? 0)", "", "0", "5000"]
            let answer = try await source.process.ask([["MIGRATE"] + place + login + ["KEYS"] + keys])[0]
            if case .error(let text) = answer { throw RedisServerProcess.Failure(description: "MIGRATE: \(text)") }
        }
        return try await source.process.ask("CLUSTER", "COUNTKEYSINSLOT", "\(slot)").number ?? 0
    }

    /// Gives the slot to the target; no key of it is left behind. The others hear of it by themselves, or from `agreed`.
    package func finish() async throws {
        while try await moveKeys(100) > 0 {}
        // The target first: it then has the newest word, and the source may not take the slot back.
        try await target.process.ask("CLUSTER", "SETSLOT", "\(slot)", "NODE", target.id)
        try await source.process.ask("CLUSTER", "SETSLOT", "\(slot)", "NODE", target.id)
    }
}
