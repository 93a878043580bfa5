import GatewayCore

/// Takes away what a dead node held, or what outlived its grace, a batch at a time.
///
/// Has no state; all callbacks come on the link's loop.
package struct Sweeper: Sendable {
    package enum Finding: Sendable {
        case found(Look.Found)
        /// The mark is no longer the caller's.
        case refused
        case failed
    }

    private let store: Store
    private let settings: PresenceSettings

    package init(store: Store, settings: PresenceSettings) {
        self.store = store
        self.settings = settings
    }

    package func look(
        _ partition: Partition, mark: String, latest: Int64, done: @escaping @Sendable (Finding) -> Void
    ) {
        store.call(Look(at: partition, mark: mark, latest: latest)) { result in
            switch result {
            case .success(.found(let found)): done(.found(found))
            case .success(.refused): done(.refused)
            case .failure: done(.failed)
            }
        }
    }

    /// Sweeps the entries whose grace was over by a moment, then each dead holder; `done` says whether the mark was refused.
    package func sweep(
        _ partition: Partition, dead: [Holder], due: [HeldEntry], by moment: Int64, mark: String,
        done: @escaping @Sendable (_ isRefused: Bool) -> Void
    ) {
        guard !due.isEmpty else { return sweepNext(partition, dead[...], mark: mark, done: done) }
        call(partition, .graces(dueBy: moment), due, mark: mark, refused: done) { _ in
            sweepNext(partition, dead[...], mark: mark, done: done)
        }
    }

    private func sweepNext(
        _ partition: Partition, _ dead: ArraySlice<Holder>, mark: String,
        done: @escaping @Sendable (_ isRefused: Bool) -> Void
    ) {
        guard let holder = dead.first else { return done(false) }
        // The first call brings only the fence: behind it nothing is added to what is read then.
        call(partition, .node(holder), [], mark: mark, refused: done) { _ in
            sweepRest(partition, dead, mark: mark, done: done)
        }
    }

    private func sweepRest(
        _ partition: Partition, _ dead: ArraySlice<Holder>, mark: String,
        done: @escaping @Sendable (_ isRefused: Bool) -> Void
    ) {
        guard let holder = dead.first else { return done(false) }
        store.send(.someEntries(of: store.keys.held(by: holder, in: partition), most: Sweep.most)) { result in
            guard case .success(let entries) = result else { return done(false) }
            guard !entries.isEmpty else {
                // Nothing is left, and the holder went with the last entry or with the fence.
                return sweepNext(partition, dead.dropFirst(), mark: mark, done: done)
            }
            call(partition, .node(holder), entries, mark: mark, refused: done) { left in
                if left > 0 {
                    sweepRest(partition, dead, mark: mark, done: done)
                } else {
                    sweepNext(partition, dead.dropFirst(), mark: mark, done: done)
                }
            }
        }
    }

    /// Goes on behind one call with how many entries are left, unless it was refused or failed.
    private func call(
        _ partition: Partition, _ swept: Sweep.Of, _ entries: [HeldEntry], mark: String,
        refused: @escaping @Sendable (_ isRefused: Bool) -> Void, next: @escaping @Sendable (_ left: Int64) -> Void
    ) {
        Heirs(store: store).find(among: entries, of: swept).whenComplete { found in
            // Who knows nothing of a user takes nobody of it away: the next look asks again.
            guard case .success(let heirs) = found else { return refused(false) }
            let sweep = Sweep(partition, mark: mark, of: swept, entries, heirs: heirs, settings: settings)
            store.call(sweep) { result in
                switch result {
                case .success(.left(let left)): next(left)
                case .success(.refused): refused(true)
                case .failure: refused(false)
                }
            }
        }
    }
}
