import Foundation
import GatewayNode

/// What all nodes that are asked say of themselves, and what they said before.
struct TopSight: Sendable {
    struct NodeSight: Sendable {
        let address: String
        /// Nil where it does not answer, or not what a node does; `trouble` says why.
        var reading: NodeReading?
        var before: NodeReading?
        var trouble: String?
    }

    let time: ContinuousClock.Instant
    var nodes: [NodeSight]
    /// What `/v1/nodes` and `/v1/stats` of the first that answers say.
    var readiness: [String: Readiness] = [:]
    var users: Int?
    var rooms: Int?
    /// Why none of those that answer says what all share.
    var trouble: HealthProbe.Failure?

    struct Readiness: Sendable {
        let isReady: Bool
        let reason: String?
        let version: String
    }
}

/// Asks the nodes.
struct TopWatch: Sendable {
    let targets: [HealthProbe.Target]
    let key: String

    private static let patience = Duration.seconds(2)

    func look(after before: TopSight?) async -> TopSight {
        var sight = TopSight(time: .now, nodes: [])
        let found = await withTaskGroup(of: (Int, Result<NodeReading, HealthProbe.Failure>).self) { group in
            for (place, target) in targets.enumerated() {
                group.addTask { (place, await reading(of: target)) }
            }
            return await group.reduce(into: [Int: Result<NodeReading, HealthProbe.Failure>]()) { $0[$1.0] = $1.1 }
        }
        for (place, target) in targets.enumerated() {
            var node = TopSight.NodeSight(address: target.authority)
            switch found[place] {
            case .success(let reading): node.reading = reading
            case .failure(let failure): node.trouble = failure.description
            case nil: node.trouble = "was not asked"
            }
            node.before = before?.nodes.first { $0.address == node.address }?.reading
            sight.nodes.append(node)
        }
        for (place, node) in sight.nodes.enumerated() where node.reading != nil {
            do throws(HealthProbe.Failure) {
                try await addShared(to: &sight, from: targets[place])
                sight.trouble = nil
                break
            } catch {
                sight.trouble = error
            }
        }
        return sight
    }

    private func reading(of target: HealthProbe.Target) async -> Result<NodeReading, HealthProbe.Failure> {
        do throws(HealthProbe.Failure) {
            let text = try await HTTPFetch.get("/metrics", of: target, key: nil, within: TopWatch.patience)
            let reading = NodeReading(text, time: .now)
            guard reading.isNode else {
                throw HealthProbe.Failure(description: "does not answer as a node does")
            }
            return .success(reading)
        } catch {
            return .failure(error)
        }
    }

    /// What only Redis knows.
    private func addShared(
        to sight: inout TopSight, from target: HealthProbe.Target
    ) async throws(HealthProbe.Failure) {
        func ask(_ path: String) async throws(HealthProbe.Failure) -> [String: Any]? {
            let text = try await HTTPFetch.get(path, of: target, key: key, within: TopWatch.patience)
            return (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]
        }
        guard let nodes = try await ask("/v1/nodes?limit=1000")?["nodes"] as? [[String: Any]] else {
            throw HealthProbe.Failure(description: "does not answer as a node does")
        }
        for node in nodes {
            guard let name = node["nodeId"] as? String else { continue }
            sight.readiness[name] = TopSight.Readiness(
                isReady: node["ready"] as? Bool ?? false, reason: node["reason"] as? String,
                version: node["version"] as? String ?? "")
        }
        let stats = try await ask("/v1/stats")
        sight.users = stats?["users"] as? Int
        sight.rooms = stats?["rooms"] as? Int
    }
}
