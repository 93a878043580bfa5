import ArgumentParser
import Foundation
import GatewayNode

/// Lines for people, on standard error, so that what a command yields has standard output to itself.
enum Console {
    static func say(_ text: String) {
        // Where nobody can read it, there is nobody to tell.
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }

    static func complain(_ text: String) {
        say("martlet: \(text)")
    }

    /// What `body` gives; a wrong configuration is told in one line and ends the command with 78.
    static func orExit<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as SettingsError {
            complain(error.description)
            throw ExitCode(NodeFailure.configuration)
        }
    }
}
