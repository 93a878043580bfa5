import GatewayCore

/// Takes away what a dead node held, or what outlived its grace, a batch at a time.
///
/// Has no state; all callbacks come on the link's loop.
package struct Sweeper: Sendable {
    package enum Finding: Sendable {
        case found(Look.Found)
        /// The token is no longer the caller's.
        case refused
        case failed(CallError)
    }

    package enum Outcome: Sendable, Equatable {
        case swept
        /// The token is no longer the caller's.
        case refused
        case failed(CallError)
    }

    private let store: Store
    private let settings: PresenceSettings
    /// Whether all nodes know what is told of how many connections a room has.
    private let isCounting: @Sendable () -> Bool
    /// Told how many entries of a dead node one call has taken away.
    private let onGhosts: @Sendable (Int) -> Void

    package init(
        store: Store, settings: PresenceSettings, isCounting: @escaping @Sendable () -> Bool = { true },
        onGhosts: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.store = store
        self.settings = settings
        self.isCounting = isCounting
        self.onGhosts = onGhosts
    }

    package func look(
        _ partition: Partition, token: String, latest: Int64, done: @escaping @Sendable (Finding) -> Void
    ) {
        store.call(Look(at: partition, token: token, latest: latest)) { result in
            switch result {
            case .success(.found(let found)): done(.found(found))
            case .success(.refused): done(.refused)
            case .failure(let error): done(.failed(error))
            }
        }
    }

    /// Sweeps the entries whose grace was over by a moment, then each dead holder.
    package func sweep(
        _ partition: Partition, dead: [Holder], due: [HeldEntry], by moment: Int64, token: String,
        done: @escaping @Sendable (Outcome) -> Void
    ) {
        guard !due.isEmpty else { return sweepNext(partition, dead[...], token: token, done: done) }
        call(partition, .graces(dueBy: moment), due, token: token, failed: done) { _ in
            sweepNext(partition, dead[...], token: token, done: done)
        }
    }

    private func sweepNext(
        _ partition: Partition, _ dead: ArraySlice<Holder>, token: String,
        done: @escaping @Sendable (Outcome) -> Void
    ) {
        guard let holder = dead.first else { return done(.swept) }
        // The first call brings only the fence: behind it nothing is added to what is read then.
        call(partition, .node(holder), [], token: token, failed: done) { _ in
            sweepRest(partition, dead, token: token, done: done)
        }
    }

    private func sweepRest(
        _ partition: Partition, _ dead: ArraySlice<Holder>, token: String,
        done: @escaping @Sendable (Outcome) -> Void
    ) {
        guard let holder = dead.first else { return done(.swept) }
        store.send(.someEntries(of: store.keys.held(by: holder, in: partition), most: Sweep.most)) { result in
            let entries: [HeldEntry]
            switch result {
            case .success(let found): entries = found
            case .failure(let error): return done(.failed(error))
            }
            guard !entries.isEmpty else {
                // Nothing is left, and the holder went with the last entry or with the fence.
                return sweepNext(partition, dead.dropFirst(), token: token, done: done)
            }
            call(partition, .node(holder), entries, token: token, failed: done) { [onGhosts] left in
                onGhosts(entries.count)
                if left > 0 {
                    sweepRest(partition, dead, token: token, done: done)
                } else {
                    sweepNext(partition, dead.dropFirst(), token: token, done: done)
                }
            }
        }
    }

    /// Goes on behind one call with how many entries are left, unless it was refused or failed.
    private func call(
        _ partition: Partition, _ swept: Sweep.Of, _ entries: [HeldEntry], token: String,
        failed: @escaping @Sendable (Outcome) -> Void, next: @escaping @Sendable (_ left: Int64) -> Void
    ) {
        Successors(store: store).find(among: entries, of: swept).whenComplete { found in
            let successors: [HeldEntry: String]
            switch found {
            case .success(let known): successors = known
            // Who knows nothing of a user takes nobody of it away: the next look asks again.
            case .failure(let error): return failed(.failed(error as? CallError ?? .unreadable(call: "successors")))
            }
            let sweep = Sweep(
                partition, token: token, of: swept, entries, successors: successors, settings: settings,
                isCounting: isCounting())
            store.call(sweep) { result in
                switch result {
                case .success(.left(let left)): next(left)
                case .success(.refused): failed(.refused)
                case .failure(let error): failed(.failed(error))
                }
            }
        }
    }
}
