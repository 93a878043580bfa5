import Foundation
import NIOCore
import RedisBackend
import RedisClient

extension NodeFailure {
    /// What made a node end, in an operator's words.
    init(_ error: any Error, settings: Settings) {
        switch error {
        case let failure as NodeFailure:
            self = failure
        case let error as SettingsError:
            self.init(error.description, status: NodeFailure.configuration)
        case let error as EmbeddedRedisError:
            self.init(error.description, status: NodeFailure.unavailable)
        case let error as BackendStartError:
            self.init(error.description, status: NodeFailure.status(of: error))
        case let error as RedisURLError:
            self.init("redis.url: \(error)", status: NodeFailure.configuration)
        case let error as IOError where error.errnoCode == EADDRINUSE:
            self.init(
                """
                a port is taken: \(settings.client.host):\(settings.client.port) (MARTLET_CLIENT_PORT moves it) \
                or \(settings.api.host):\(settings.api.port) (MARTLET_API_PORT)
                """, status: NodeFailure.unavailable)
        default:
            self.init("\(error)", status: NodeFailure.unavailable)
        }
    }

    private static func status(of error: BackendStartError) -> Int32 {
        switch error {
        case .nameTaken: nameTaken
        case .refused, .noPrimary, .tooOld, .foreign: configuration
        }
    }
}
