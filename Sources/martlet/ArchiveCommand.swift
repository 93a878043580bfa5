import ArgumentParser
import Foundation
import GatewayCore
import GatewayNode
import Logging

/// `martlet archive`: a worker that keeps messages in a database.
struct ArchiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "archive",
        abstract: "Write messages of rooms with archive: true to a database until told to end.",
        discussion: """
            It reads the same file and variables as `martlet serve`, above all redis.url, archive.url and rooms. Any number \
            of workers share the work; what one was given when it was killed another one writes within seconds.

              MARTLET_ARCHIVE_URL=sqlite:///var/lib/martlet/archive.db martlet archive --config martlet.yaml

            Exit status: 0 after a signal, 69 where something it needs is missing at the start, 78 where the configuration \
            is wrong, the database refuses the password or the name, or its tables are a later release's.
            """,
        subcommands: [Export.self, Erase.self])

    @OptionGroup var file: ConfigurationOption

    @Flag(name: .long, help: "Bring the database's tables to this release's version, and end.")
    var migrate = false

    func run() async throws {
        CoreDumps.forbid()
        // A log reader that went away must not take the worker with it.
        signal(SIGPIPE, SIG_IGN)
        let settings = try Console.orExit {
            try Settings.read(file: file.config, environment: ProcessInfo.processInfo.environment)
        }
        LogOutput.begin(settings.log)
        do {
            let worker = try ArchiveWorker(settings: settings, logger: Logger(label: "martlet"))
            if migrate {
                let former = try await worker.migrate()
                Console.say("the archive's tables are of this release's version; before they were of \(former)")
            } else {
                try await worker.run()
            }
        } catch let failure as NodeFailure {
            Console.complain(failure.description)
            throw ExitCode(failure.status)
        }
    }

    /// `martlet archive export`: what the archive has of a room or a user.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Print what the archive has of a room or of a user, one message a line.",
            discussion: """
                Each line is a JSON object; the payload stands in it byte for byte as it was sent. Lines come in the order of \
                their rooms. How many there were is said on standard error at the end.

                  martlet archive export --room lesson-7 > lesson-7.ndjson
                """)

        enum Format: String, ExpressibleByArgument {
            case ndjson
        }

        @OptionGroup var file: ConfigurationOption

        @Option(name: .long, help: "The room.")
        var room: String?

        @Option(name: .long, help: "The user, in all rooms: each is read from its beginning to its end.")
        var user: String?

        @Option(name: .long, help: "How messages are written.")
        var format = Format.ndjson

        func validate() throws {
            guard (room == nil) != (user == nil) else { throw ValidationError("name a --room or a --user") }
        }

        func run() async throws {
            CoreDumps.forbid()
            let settings = try Console.orExit {
                try Settings.read(file: file.config, environment: ProcessInfo.processInfo.environment)
            }
            do {
                let output = FileHandle.standardOutput
                let subject: ArchiveExport.Subject = room.map { .room($0) } ?? .user(user ?? "")
                let count = try await ArchiveExport(settings: settings).run(subject) { line in
                    try output.write(contentsOf: Data(line + [UInt8(ascii: "\n")]))
                }
                Console.say("\(count) messages")
            } catch let failure as NodeFailure {
                Console.complain(failure.description)
                throw ExitCode(failure.status)
            }
        }
    }

    /// `martlet archive erase`: takes a user's messages away.
    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "erase",
            abstract: "Take the payloads of a user's messages away, in Redis and in the archive.",
            discussion: """
                It reads the same file and variables as `martlet serve`. The messages stay in their places, with null for \
                their payloads. It may be broken off and run again: what is erased is passed over, and --after goes on \
                behind a room of the archive. Messages that a worker has yet to write are written without payloads.

                  martlet archive erase --user alice

                Exit status: 0 when all is erased, 69 where Redis or the database is away, 78 where the configuration is wrong.
                """)

        @OptionGroup var file: ConfigurationOption

        @Option(name: .long, help: "The user.")
        var user: String

        @Option(name: .long, help: "The room of the archive that was done last; the archive's later ones follow.")
        var after: String?

        func validate() throws {
            guard UserID(user) != nil else { throw ValidationError("--user takes 1 to 128 bytes") }
        }

        func run() async throws {
            CoreDumps.forbid()
            let settings = try Console.orExit {
                try Settings.read(file: file.config, environment: ProcessInfo.processInfo.environment)
            }
            do {
                guard let user = UserID(user) else { return }
                let erasure = try ArchiveErasure(settings: settings, logger: Logger(label: "martlet"))
                let done = try await erasure.run(user: user, after: after) { progress in
                    guard progress.rooms % 1000 == 0 || progress.last == nil else { return }
                    let place = progress.last.map { ", up to room \($0)" } ?? ""
                    Console.say("\(progress.logs.messages) in logs, \(progress.rows) in the archive\(place)")
                }
                Console.say(
                    """
                    \(done.logs.messages) messages in \(done.logs.rooms) logs, \(done.rows) in \(done.rooms) rooms of \
                    the archive
                    """)
            } catch let failure as NodeFailure {
                Console.complain(failure.description)
                throw ExitCode(failure.status)
            }
        }
    }
}
