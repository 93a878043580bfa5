import GatewayCore
import Logging
import NIOCore
import RedisClient

/// What the node asks of the Redis that it finds, once, before it is ready; on the command link's loop.
extension Conductor {
    func check() {
        guard let store, !hasChecked else { return }
        store.send(.info(.server)) { [self] result in
            guard case .success(let info) = result else {
                if store.isIndexConnected { store.link.eventLoop.scheduleTask(in: .seconds(1)) { self.check() } }
                return
            }
            let version = info.infoField("redis_version") ?? "unknown"
            guard let major = Int(version.prefix { $0 != "." }), major >= 7 else {
                return fail(.tooOld(version: version))
            }
            checkMemoryPolicy(store)
            if needsReplicas { checkReplicas(store) }
            finishChecks(store)
        }
    }

    /// Under any other policy Redis may drop what was promised to be kept.
    private func checkMemoryPolicy(_ store: Store) {
        store.send(.info(.memory)) { [self] result in
            guard case .success(let info) = result, let policy = info.infoField("maxmemory_policy"),
                policy != "noeviction"
            else { return }
            logger.warning(
                "Redis evicts keys when it is full, which breaks promises; set maxmemory-policy noeviction",
                metadata: ["policy": "\(policy)"])
        }
    }

    /// Without a replica no publish to a room with `durability: replicated` is acknowledged.
    private func checkReplicas(_ store: Store) {
        store.send(.info(.replication)) { [self] result in
            guard case .success(let info) = result, info.infoField("connected_slaves") == "0" else { return }
            logger.warning(
                "Redis has no replica: publishes with durability replicated fail as unavailable until it has one")
        }
    }

    /// Done once the key of session ids is read as well, which a full Redis may not have taken yet.
    private func finishChecks(_ store: Store) {
        // What scripts do as well: asked for by itself, its denial names the right that is lacking.
        store.send(.field("format", of: store.keys.deployment)) { [self] result in
            if case .failure(let error) = result, isEnded(by: error) { return }
            // A server of a Cluster may stand and refuse all; nothing else asks again then.
            guard case .success = result, seal.isResolved else {
                store.link.eventLoop.scheduleTask(in: .seconds(1)) { self.finishChecks(store) }
                return
            }
            hasChecked = true
            health.set(.checks, true)
        }
    }

    /// Whether the start is over, since Redis denies a right that no node can do without; one that has started waits for an
    /// operator.
    func isEnded(by error: CallError) -> Bool {
        guard !hasChecked, let denial = error.denial else { return false }
        fail(.refused(denial))
        return true
    }
}
