import GatewayCore
import NIOCore

/// Finds the members that must not be swept yet, since their session goes on: a resume moves the session first, in the
/// user's partition, and its rooms only when that is answered, each in the room's own.
///
/// All answers come on the link's loop.
struct Successors: Sendable {
    let store: Store

    /// Members that another connection of their session is to follow in the room, each with that connection, or with its own
    /// where its grace may yet be taken over, or where that is not known: of a user who could not be asked about, since who
    /// lies on a shard that is away is to hold up nobody else. Fails where nobody could be asked about.
    func find(among entries: [HeldEntry], of swept: Sweep.Of) -> EventLoopFuture<[HeldEntry: String]> {
        let loop = store.link.eventLoop
        var members: [UserID: [HeldEntry]] = [:]
        for entry in entries {
            guard case .member(let user, _, _) = entry else { continue }
            members[user, default: []].append(entry)
        }
        guard !members.isEmpty else { return loop.makeSucceededFuture([:]) }
        let found = members.map { user, members in
            (members, find(members, of: user, swept))
        }
        return EventLoopFuture.whenAllComplete(found.map(\.1), on: loop).flatMapThrowing { results in
            var successors: [HeldEntry: String] = [:]
            var failures: [any Error] = []
            for ((members, _), result) in zip(found, results) {
                switch result {
                case .success(let some): successors.merge(some) { first, _ in first }
                case .failure(let error):
                    failures.append(error)
                    for member in members { successors[member] = member.connection }
                }
            }
            if let first = failures.first, failures.count == results.count { throw first }
            return successors
        }
    }

    private func find(
        _ members: [HeldEntry], of user: UserID, _ swept: Sweep.Of
    ) -> EventLoopFuture<[HeldEntry: String]> {
        answer(.fields(of: store.keys.connections(of: user))).flatMap { records in
            var successors: [HeldEntry: String] = [:]
            // The user's grace ends before the rooms': until that is swept the session may be resumed.
            if case .graces = swept {
                let lingering = Set(records.filter { $0.value.hasPrefix("~") }.map(\.name))
                for member in members where member.connection.map(lingering.contains) ?? false {
                    successors[member] = member.connection
                }
            }
            let open = members.filter { successors[$0] == nil }
            let leaving = Set(open.compactMap(\.connection))
            let asked = records.compactMap { record -> EventLoopFuture<[HeldEntry: String]>? in
                guard !open.isEmpty, !leaving.contains(record.name),
                    let field = ConnectionField(id: record.name, record: record.value, of: user),
                    swept != .node(field.holder), let session = field.session
                else { return nil }
                return find(open, followedBy: field.id, session)
            }
            return merge(asked + [store.link.eventLoop.makeSucceededFuture(successors)])
        }
    }

    /// Those whose place this connection is to take, by what its session says.
    private func find(
        _ members: [HeldEntry], followedBy id: String, _ session: SessionID
    ) -> EventLoopFuture<[HeldEntry: String]> {
        let key = store.keys.session(session)
        return answer(.fields(["c", "b"], of: key)).flatMap { names in
            let earlier = Set((names[1] ?? "").split(separator: " ").map(String.init))
            let followed = members.filter { names[0] == id && ($0.connection.map(earlier.contains) ?? false) }
            guard !followed.isEmpty else { return store.link.eventLoop.makeSucceededFuture([:]) }
            let rooms = followed.map { member in
                if case .member(_, _, let room) = member { "r:\(room)" } else { "" }
            }
            return answer(.fields(rooms, of: key)).map { fields in
                var successors: [HeldEntry: String] = [:]
                for (member, room) in zip(followed, fields) where room != nil { successors[member] = id }
                return successors
            }
        }
    }

    private func merge(_ found: [EventLoopFuture<[HeldEntry: String]>]) -> EventLoopFuture<[HeldEntry: String]> {
        EventLoopFuture.reduce(into: [:], found, on: store.link.eventLoop) { all, some in
            all.merge(some) { first, _ in first }
        }
    }

    private func answer<Answer>(_ command: KeyCommand<Answer>) -> EventLoopFuture<Answer> {
        let promise = store.link.eventLoop.makePromise(of: Answer.self)
        store.send(command) { result in promise.completeWith(result.mapError { $0 as any Error }) }
        return promise.futureResult
    }
}
