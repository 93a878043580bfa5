import Foundation

/// A wall clock that is wrong for one process, by libfaketime; its monotonic clock stays right.
package enum WrongClock {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// What a process is to be started with so that it takes the time to be that much later, or earlier where negative.
    package static func environment(off: Duration) throws -> [String: String] {
        // Debian keeps it in a folder named after the machine's kind, such as x86_64-linux-gnu.
        let libraries = "/usr/lib"
        let folders = try FileManager.default.contentsOfDirectory(atPath: libraries)
        let paths = folders.map { "\(libraries)/\($0)/faketime/libfaketimeMT.so.1" }
        guard let path = paths.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw Failure(description: "libfaketime is not installed: apt-get install libfaketime")
        }
        let seconds = off.components.seconds
        return [
            "LD_PRELOAD": path, "FAKETIME": "\(seconds < 0 ? "" : "+")\(seconds)s", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ]
    }
}
