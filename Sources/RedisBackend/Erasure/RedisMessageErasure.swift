import GatewayCore
import RedisClient

/// Takes payloads away from all that Redis keeps of messages.
package struct RedisMessageErasure: MessageErasure {
    /// How often the logs of a server are gone through anew where another process has taken its place meanwhile.
    private static let tries = 5
    /// How long the connections of a user have to end.
    private static let patience = 30

    let store: Store
    let rules: Current<RoomRules>
    /// Those who are told of messages; empty where nobody is.
    let receivers: Current<[WebhookReceiver]>
    /// Ends the sessions of a user; nil where there is nobody to do so.
    let directory: (any PresenceDirectory)?

    package func redact(
        _ seq: Int, of epoch: String?, in room: RoomName,
        reply: @escaping @Sendable (Result<Redacted?, BackendError>) -> Void
    ) {
        store.call(call(.one(seq: seq, epoch: epoch), in: room)) { result in
            reply(
                result.mapError(BackendError.init).map { answer in
                    answer.position.epoch.isEmpty ? nil : Redacted(position: answer.position, version: answer.version)
                })
        }
    }

    /// The same for a client, as far as its role in the room allows it; answers the version of the room's settings.
    func redact(_ order: RedactionOrder, reply: @escaping @Sendable (Result<Int64, GovernError>) -> Void) {
        var call = call(.one(seq: order.seq, epoch: order.epoch), in: order.room)
        call.author = order.author
        store.call(call) { result in
            switch result {
            case .failure(let error): reply(.failure(.backend(BackendError(error))))
            case .success(let answer) where answer.denial != nil:
                reply(.failure(.denied(answer.denial ?? .right)))
            case .success(let answer) where answer.position.epoch.isEmpty: reply(.failure(.unknownMessage))
            case .success(let answer): reply(.success(answer.version))
            }
        }
    }

    package func erase(_ user: UserID) async throws(BackendError) -> Erased {
        do throws(DirectoryError) {
            _ = try await directory?.disconnect(user, Expulsion(text: "erased"))
        } catch {
            if case .backend(let error) = error { throw error }
        }
        do {
            let erased = try await eraseMessages(of: user) { _ in }
            try await forget(user)
            return erased
        } catch {
            throw BackendError(error)
        }
    }

    /// The payloads of a user's messages in all logs, and all that lies in the user's inbox.
    ///
    /// - Parameter progress: told after each room in which there were any.
    package func eraseMessages(
        of user: UserID, progress: @Sendable (Erased) -> Void
    ) async throws(CallError) -> Erased {
        var erased = Erased()
        var done: Set<String> = []
        for partition in Partition.all {
            var tries = RedisMessageErasure.tries
            var place: ListLogs.Place?
            while true {
                let part: ListLogs.Answer
                do throws(CallError) {
                    part = try await store.call(
                        ListLogs(beside: partition, from: place, prefix: store.keys.prefix))
                } catch {
                    guard case .unreadable = error, tries > 0 else { throw error }
                    (tries, place) = (tries - 1, nil)
                    continue
                }
                if place == nil, done.contains(part.server) { break }
                for room in part.rooms {
                    let what: Redact.What = room == RoomName(inboxOf: user) ? .all : .allOf(user)
                    let answer = try await store.call(call(what, in: room))
                    guard answer.count > 0 else { continue }
                    erased.rooms += 1
                    erased.messages += answer.count
                    progress(erased)
                }
                place = part.next
                if place == nil {
                    done.insert(part.server)
                    break
                }
            }
        }
        return erased
    }

    /// Lets go of when the user was last seen, once that is written no more.
    private func forget(_ user: UserID) async throws(CallError) {
        for _ in 0..<RedisMessageErasure.patience {
            guard try await store.send(.size(ofHash: store.keys.connections(of: user))) > 0 else { break }
            try? await Task.sleep(for: .milliseconds(100))  // It ends early where the task is cancelled.
        }
        _ = try await store.send(.remove(user.string, fromSorted: store.keys.seen(Partition(of: user.string))))
    }

    private func call(_ what: Redact.What, in room: RoomName) -> Redact {
        var call = Redact(what, in: room)
        let (rules, receivers) = (rules.now, receivers.now.map(\.name))
        if rules.isStreamed(room) || rules.isArchived(room) { call.stream = rules.streamBound.entries }
        call.isArchived = rules.isArchived(room)
        if !receivers.isEmpty, rules.tellsMessages(of: room) { call.receivers = receivers }
        return call
    }
}
