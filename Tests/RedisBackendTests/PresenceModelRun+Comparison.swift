import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Looking whether Redis agrees with the model.
extension ModelRun {
    /// Waits until all graces and leases are over, then compares everything.
    func settle(_ what: String, users: [String], rooms: [String]) async throws {
        try await eventually("answers in \(what)") { [joins] in joins.areAnswered }
        acceptFailures()
        let model = model
        let living = nodes.indices.filter { !dead.contains($0) }.map { nodes[$0] }
        let reader = living[random(living.count)].directory
        do {
            // All promises of the settings together, and as much again for a busy machine.
            try await eventually("agreement in \(what)", within: .seconds(10)) { [observer, sessions] in
                for node in living {
                    for id in node.closed { node.presence.disconnect(id, .farewell(.replaced)) }
                }
                guard living.allSatisfy({ $0.backend.problem == nil }) else { return false }
                guard try await observer.lingering() == 0 else { return false }
                let statuses = try await reader.statuses(of: users.map { UserID(unchecked: $0) })
                guard Set(statuses.filter(\.isOnline).map(\.userId.string)) == model.online else { return false }
                for room in rooms where try await ModelRun.members(of: room, reader) != model.members(of: room) {
                    return false
                }
                for user in users {
                    let record = try await reader.user(UserID(unchecked: user))
                    guard record?.connections.count ?? 0 == model.live(user) else { return false }
                }
                let open = model.connections.keys.compactMap { sessions.of($0) }
                guard try await observer.has(open) else { return false }
                return try await Set(observer.holders().map { $0.prefix(2) }).count == observer.holders().count
            }
        } catch is NeverHappened {
            try await explain(what, reader, users: users, rooms: rooms)
        }
        try await compareLedger(what, reader, rooms: rooms)
        self.model.forgetRound()
        round = Round()
    }

    private static func members(of room: String, _ reader: any PresenceDirectory) async throws -> [String: Int] {
        let page = try await reader.members(of: RoomName(unchecked: room), limit: 1000, cursor: nil)
        return Dictionary(page.members.map { ($0.userId.string, $0.connections) }) { first, _ in first }
    }

    private func explain(
        _ what: String, _ reader: any PresenceDirectory, users: [String], rooms: [String]
    ) async throws {
        let statuses = try await reader.statuses(of: users.map { UserID(unchecked: $0) })
        #expect(Set(statuses.filter(\.isOnline).map(\.userId.string)) == model.online, "\(what): online")
        for room in rooms {
            let members = try await ModelRun.members(of: room, reader)
            #expect(members == model.members(of: room), "\(what): members of \(room)")
        }
        for user in users {
            let record = try await reader.user(UserID(unchecked: user))
            #expect(record?.connections.count ?? 0 == model.live(user), "\(what): connections of \(user)")
        }
        let problems = nodes.map { $0.backend.problem ?? "well" }
        let lingering = try await observer.lingerers()
        let areThere = try await observer.has(model.connections.keys.compactMap { sessions.of($0) })
        let holders = try await observer.holders()
        Issue.record(
            "\(what): \(problems) lingering in \(lingering) \(holders) all sessions: \(areThere)")
    }

    private func compareLedger(_ what: String, _ reader: any PresenceDirectory, rooms: [String]) async throws {
        let stood = pulse.takeLongest()
        // Then a node may have been taken for dead, and no call is known to have come before the next.
        let isExact = stood < .nanoseconds(settings.lease.nanoseconds / 4)
        if !isExact { print("presence model: \(what) is not judged exactly, the machine stood still for \(stood)") }
        // Each partition's ledger is in order; what one user or one room has is in one partition.
        let ledger = try await observer.ledger(after: &marks)
        told += ledger.count
        for user in Set(ledger.map(\.user)).union(model.expected.keys) where !user.isEmpty {
            let own = ledger.filter { $0.user == user }
            if round.hasForgotten {
                // Those who rest are told at most as being there again, each thing once; of the others the ledger misses some.
                guard round.resting.contains(user) else { continue }
                #expect(own.allSatisfy { $0.cause == "restored" }, "\(what): \(own.map(\.text)) of \(user)")
                #expect(Set(own.map(\.text)).count == own.count, "\(what): \(own.map(\.text)) of \(user)")
                continue
            }
            if isExact, !model.uncertain.contains(user) {
                // Transitions of different rooms lie in different partitions: their order is not told.
                #expect(
                    own.map(\.text).sorted() == (model.expected[user] ?? []).sorted(), "\(what): events of \(user)")
            }
            let presence = own.filter { $0.room.isEmpty }.map(\.type)
            alternates(
                presence, from: onlineBefore.contains(user), to: model.online.contains(user), "user.online",
                "\(what): \(user)")
            let falls = presence.filter { $0 == "user.offline" }.count
            #expect(
                !isExact || falls <= model.falls[user] ?? 0,
                "\(what): \(user) went offline more often than it could: \(own.map(\.text))")
            for room in rooms {
                alternates(
                    own.filter { $0.room == room }.map(\.type), from: membersBefore[room]?.contains(user) ?? false,
                    to: model.present(user, in: room) > 0, "member.joined", "\(what): \(user) in \(room)")
            }
        }
        for room in rooms {
            let members = Set(model.members(of: room).keys)
            if !round.hasForgotten {
                alternates(
                    ledger.filter { $0.room == room && $0.user.isEmpty }.map(\.type),
                    from: membersBefore[room]?.isEmpty == false, to: !members.isEmpty, "room.occupied",
                    "\(what): \(room)")
            }
            membersBefore[room] = members
            let version = try await reader.members(of: RoomName(unchecked: room), limit: 1, cursor: nil).rosterVersion
            if let before = versionsBefore[room] {
                let events = ledger.filter { $0.room == room && !$0.user.isEmpty }.count
                let least = before + Int64(events)
                #expect(
                    round.hasLeapt ? version >= least : version == least,
                    "\(what): roster version \(version) of \(room), after \(before) and \(events) events")
            }
            versionsBefore[room] = version > 0 ? version : nil
        }
        onlineBefore = model.online
    }

    /// Each event changes what was told before it, and the last one left what is true.
    private func alternates(_ types: [String], from: Bool, to: Bool, _ rising: String, _ what: String) {
        var state = from
        for type in types {
            #expect((type == rising) != state, "\(what) was told twice: \(types)")
            state = type == rising
        }
        #expect(state == to, "\(what) was not told: \(types)")
    }

    func stop() async throws {
        for (slot, node) in nodes.enumerated() where !dead.contains(slot) { try await node.stop() }
        try await store.stop()
    }
}
