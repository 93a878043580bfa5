import Foundation

extension RedisServerProcess {
    /// The program that a server is.
    package enum Engine: String, Sendable, CaseIterable {
        /// The redis-server that is installed here.
        case redis
        /// The Valkey that `docker/local test` fetches.
        case valkey

        var program: String {
            get throws {
                switch self {
                case .redis: return "redis-server"
                case .valkey:
                    let environment = ProcessInfo.processInfo.environment
                    let caches = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "") + "/.cache"
                    // As docker/lib/valkey.sh puts it there.
                    let path = caches + "/martlet/valkey-server"
                    guard FileManager.default.isExecutableFile(atPath: path) else {
                        throw Failure(description: "there is no \(path): `docker/local test` fetches it")
                    }
                    return path
                }
            }
        }
    }
}
