import RedisClient

/// Lets go of the oldest entries of streams of one partition that take more memory than they may; answers how many went.
package struct Shrink: Script {
    let streams: [(key: Key, bytes: Int)]

    package init(_ streams: [(key: Key, bytes: Int)]) {
        self.streams = streams
    }

    package var file: RedisScript { Scripts.shrink }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: streams.map(\.key), arguments: streams.map { .count($0.bytes) })
    }

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}
