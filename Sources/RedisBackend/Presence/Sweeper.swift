import GatewayCore
import NIOCore
import RedisClient

/// Takes away what a dead node held, or what outlived its grace, a batch at a time.
///
/// Has no state; all callbacks come on the link's loop.
package struct Sweeper: Sendable {
    /// What a look at a partition showed.
    package struct Found: Sendable {
        /// Redis's clock in milliseconds.
        package let now: Int64
        package let nextGraceEnd: Int64?
        package let holders: [(holder: Holder, fence: Int64)]
        /// Whose grace is over, a batch at most.
        package let due: [HeldEntry]
    }

    package enum Finding: Sendable {
        case found(Found)
        /// The mark is no longer the caller's.
        case refused
        case failed
    }

    /// Entries in one script.
    static let batch = 200

    let calls: PresenceCalls

    package init(calls: PresenceCalls) {
        self.calls = calls
    }

    private var store: Store { calls.store }
    private var keys: Keys { calls.store.keys }

    package func look(_ partition: Partition, mark: String, done: @escaping @Sendable (Finding) -> Void) {
        store.call(
            Scripts.look,
            keys: [
                keys.coordinator(partition), keys.holders(partition), keys.linger(partition), keys.fence(partition),
            ], arguments: [.string(mark), .integer(Int64(Sweeper.batch))]
        ) { result in
            guard case .success(let reply) = result else { return done(.failed) }
            guard reply[0].string == "ok", let now = reply[1].integer, let next = reply[2].integer else {
                return done(.refused)
            }
            let holders = stride(from: 0, to: reply[3].count - 1, by: 2).compactMap { index in
                reply[3][index].string.flatMap(Holder.init).map {
                    (holder: $0, fence: reply[3][index + 1].integer ?? 0)
                }
            }
            done(
                .found(
                    Found(
                        now: now, nextGraceEnd: next < 0 ? nil : next, holders: holders,
                        due: (reply[4].array ?? []).compactMap { $0.string.flatMap(HeldEntry.init) })))
        }
    }

    /// Sweeps the entries whose grace is over, then each dead holder; `done` says whether the mark was refused.
    package func sweep(
        _ partition: Partition, dead: [Holder], due: [HeldEntry], mark: String,
        done: @escaping @Sendable (_ isRefused: Bool) -> Void
    ) {
        guard !due.isEmpty else { return sweepNext(partition, dead[...], mark: mark, done: done) }
        call(partition, holder: nil, due, mark: mark) { outcome in
            guard case .left = outcome else { return done(outcome == .refused) }
            sweepNext(partition, dead[...], mark: mark, done: done)
        }
    }

    private func sweepNext(
        _ partition: Partition, _ dead: ArraySlice<Holder>, mark: String,
        done: @escaping @Sendable (_ isRefused: Bool) -> Void
    ) {
        guard let holder = dead.first else { return done(false) }
        // The first call brings only the fence: behind it nothing is added to what is read then.
        call(partition, holder: holder, [], mark: mark) { outcome in
            guard case .left = outcome else { return done(outcome == .refused) }
            sweepRest(partition, dead, mark: mark, done: done)
        }
    }

    private func sweepRest(
        _ partition: Partition, _ dead: ArraySlice<Holder>, mark: String,
        done: @escaping @Sendable (_ isRefused: Bool) -> Void
    ) {
        guard let holder = dead.first else { return done(false) }
        let set = RedisArgument.string(keys.held(by: holder, in: partition).name)
        store.link.send(["SRANDMEMBER", set, .integer(Int64(Sweeper.batch))]) { result in
            guard case .success(let reply) = result else { return done(false) }
            let entries = (reply.array ?? []).compactMap { $0.string.flatMap(HeldEntry.init) }
            guard !entries.isEmpty else {
                // Nothing is left, and the holder went with the last entry or with the fence.
                return sweepNext(partition, dead.dropFirst(), mark: mark, done: done)
            }
            call(partition, holder: holder, entries, mark: mark) { outcome in
                guard case .left(let left) = outcome else { return done(outcome == .refused) }
                if left > 0 {
                    sweepRest(partition, dead, mark: mark, done: done)
                } else {
                    sweepNext(partition, dead.dropFirst(), mark: mark, done: done)
                }
            }
        }
    }

    private enum Outcome: Hashable {
        case left(Int64)
        case refused
        case failed
    }

    /// One `sweep`: of a dead holder's entries, or where there is none, of those in linger.
    private func call(
        _ partition: Partition, holder: Holder?, _ entries: [HeldEntry], mark: String,
        done: @escaping @Sendable (Outcome) -> Void
    ) {
        var all = [
            keys.coordinator(partition), keys.fence(partition), keys.holders(partition),
            holder.map { keys.held(by: $0, in: partition) } ?? keys.linger(partition), keys.online(partition),
            keys.seen(partition), keys.rooms(partition), keys.events(partition),
        ]
        var arguments: [RedisArgument] = [
            .string(mark), holder == nil ? "linger" : "node", .string(holder?.node ?? "-"),
            .integer(holder?.incarnation ?? 0), .integer(Int64(calls.settings.ledgerSize)), "PUBLISH",
            .integer(calls.settings.fenceLife.milliseconds),
        ]
        var rooms: [RoomName: [(connection: String, user: UserID)]] = [:]
        for entry in entries {
            switch entry {
            case .user(let user, let connection):
                all.append(keys.connections(of: user))
                arguments += [
                    "u", .string(connection), .string(user.string), .string(keys.status(of: user).name),
                ]
            case .member(let user, let connection, let room):
                rooms[room, default: []].append((connection, user))
            }
        }
        for (room, members) in rooms {
            all += [keys.members(room), keys.connections(in: room), keys.head(room)]
            arguments += [
                "r", .string(room.string), .string(keys.channel(room).name),
                .integer(LogLimits.emptyHeadLife.milliseconds), .integer(Int64(members.count)),
            ]
            for member in members { arguments += [.string(member.connection), .string(member.user.string)] }
        }
        store.call(Scripts.sweep, keys: all, arguments: arguments) { result in
            guard case .success(let reply) = result else { return done(.failed) }
            done(reply[0].string == "ok" ? .left(reply[1].integer ?? 0) : .refused)
        }
    }
}
