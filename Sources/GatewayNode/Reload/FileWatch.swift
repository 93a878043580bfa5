import Logging
import ServiceLifecycle

/// Something that a node holds of files, and takes anew when they change.
package protocol WatchedFile: Sendable {
    /// Takes what has changed, and tells the log; what is broken changes nothing.
    func reload(logger: Logger)
}

/// Looks at files every so often.
struct FileWatch: Service, CustomStringConvertible {
    private static let interval = Duration.seconds(30)

    let files: [any WatchedFile]
    let logger: Logger

    /// What a service group's log calls it.
    var description: String { "FileWatch" }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // It ends early where the task is cancelled.
                try? await Task.sleep(for: FileWatch.interval)
                guard !Task.isCancelled else { return }
                for file in files { file.reload(logger: logger) }
            }
        }
    }
}
