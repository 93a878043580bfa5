import GatewayCore
import RedisClient

/// Renews the life of keys of one partition; answers how many were there.
package struct Touch: Script {
    /// What one call takes.
    package static let most = 500

    let lives: ArraySlice<(key: Key, life: Duration)>

    package init(_ lives: ArraySlice<(key: Key, life: Duration)>) {
        self.lives = lives
    }

    package var file: RedisScript { Scripts.touch }

    package func spelled(with keys: Keys) -> ScriptCall {
        ScriptCall(keys: lives.map(\.key), arguments: lives.map { .milliseconds($0.life) })
    }

    package func read(_ reply: RedisReply) -> Int64? { reply.integer }
}

extension Store {
    /// Renews keys of one partition, however many.
    func touch(_ lives: [(key: Key, life: Duration)]) {
        for start in stride(from: 0, to: lives.count, by: Touch.most) {
            call(Touch(lives[start..<min(start + Touch.most, lives.count)])) { _ in }
        }
    }
}
