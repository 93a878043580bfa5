import GatewayCore
import NIOCore
import RedisClient

/// The command link with the house's rule on top: a script touches one partition only.
package struct Store: Sendable {
    package let link: RedisCommandLink
    package let keys: Keys

    package init(link: RedisCommandLink, keys: Keys) {
        self.link = link
        self.keys = keys
    }

    /// Calls a script, whose keys and channels are of one partition; `reply` comes on the link's loop.
    ///
    /// In a Redis Cluster a publish to another slot reaches nobody, or fails after the writes: a call across
    /// partitions is our own mistake and stops the program.
    func call<Called: Script>(
        _ script: Called, timeout: TimeAmount? = nil, stalled: StallPolicy = .wait,
        reply: @escaping @Sendable (Result<Called.Answer, CallError>) -> Void
    ) {
        let call = script.spelled(with: keys)
        guard call.isOfOnePartition else {
            preconditionFailure("\(script.file.name) would touch several partitions: \(call.keys) \(call.channels)")
        }
        link.call(
            script.file, keys: call.declared, arguments: call.arguments, timeout: timeout, stalled: stalled
        ) { result in
            switch result {
            case .success(let answer):
                reply(script.read(answer).map { .success($0) } ?? .failure(.unreadable(script: script.file.name)))
            case .failure(let error): reply(.failure(.failed(error)))
            }
        }
    }

    /// Calls a script on keys (and a channel, where it publishes) of one partition; `reply` comes on the link's loop.
    ///
    /// In a Redis Cluster a publish to another slot reaches nobody, or fails after the writes: a call across
    /// partitions is our own mistake and stops the program.
    func call(
        _ script: RedisScript, keys: [Key], channel: Key? = nil, arguments: [RedisArgument],
        timeout: TimeAmount? = nil, stalled: StallPolicy = .wait,
        reply: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        let partition = keys.first?.partition
        for key in keys + (channel.map { [$0] } ?? []) where key.partition != partition {
            preconditionFailure("\(script.name) would touch \(keys[0].name) and \(key.name), of two partitions")
        }
        link.call(
            script, keys: keys.map(\.name), arguments: arguments, timeout: timeout, stalled: stalled, reply: reply)
    }
}

extension Store {
    /// As above; cancelling the task does not take the call back.
    func call<Called: Script>(_ script: Called) async throws(CallError) -> Called.Answer {
        let result = await withCheckedContinuation { continuation in
            call(script) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// As above; cancelling the task does not take the call back.
    func call(
        _ script: RedisScript, keys: [Key], arguments: [RedisArgument]
    ) async throws(RedisError) -> RedisReply {
        let result = await withCheckedContinuation { continuation in
            call(script, keys: keys, arguments: arguments) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}

extension BackendError {
    /// What a failed command means for whoever asked.
    init(_ error: RedisError) {
        self = error == .unconfirmed ? .unconfirmed : .unavailable(reason: "\(error)")
    }
}
