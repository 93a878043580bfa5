import Glibc

/// The reason why the private Redis could not be started, or is gone; the text is one line for the operator.
package struct EmbeddedRedisError: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }

    static let notFound = EmbeddedRedisError(
        "redis-server was not found: install it (apt-get install redis-server) or name a Redis with MARTLET_REDIS_URL")

    /// A system call that failed, with the reason that `errno` gives.
    static func failed(_ call: String, _ number: Int32) -> EmbeddedRedisError {
        EmbeddedRedisError("the private Redis could not be started: \(call): \(String(cString: strerror(number)))")
    }
}
