import ArgumentParser
import Foundation
import GatewayNode
import NIOPosix

/// `martlet webhooks`: what helps with webhooks.
struct WebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhooks",
        abstract: "Try webhooks out.",
        subcommands: [Listen.self])

    /// `martlet webhooks listen`: a small receiver.
    struct Listen: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "listen",
            abstract: "Receive events and print them, one line each.",
            discussion: """
                In one window:

                  martlet webhooks listen

                and in another one, with the secret that the first prints by default:

                  MARTLET_WEBHOOKS_URL=http://127.0.0.1:9000/ \\
                  MARTLET_WEBHOOKS_SECRET=local-webhook-secret \\
                  MARTLET_WEBHOOKS_ALLOW_PRIVATE=true martlet serve

                Connect a client and leave again: user.online and user.offline come. An event \
                that comes again is marked "again"; a request whose signature does not fit is \
                answered with 401, and nothing of it is shown.
                """)

        @Option(name: .long, help: "The address to listen on; 0.0.0.0 for nodes in containers.")
        var host = "127.0.0.1"

        @Option(name: .long, help: "The port; 0 takes any free one.")
        var port = 9000

        @Option(name: .long, help: "What requests must be signed with; empty takes any.")
        var secret = "local-webhook-secret"

        @Option(name: .long, help: "How many requests to answer with 500 first.")
        var fail = 0

        @Option(name: .long, help: "How long to wait before each answer, with a unit: 500ms, 10s.")
        var delay = "0s"

        func validate() throws {
            guard (0...65_535).contains(port) else { throw ValidationError("--port takes 0 to 65535") }
            guard fail >= 0 else { throw ValidationError("--fail takes a number of requests") }
            guard DurationText.parse(delay) != nil else {
                throw ValidationError("--delay takes a time with its unit, such as 500ms or 10s")
            }
        }

        func run() async throws {
            let journal = WebhookJournal(
                secret: secret.isEmpty ? nil : secret, failures: fail, now: { Date() },
                print: { line in
                    // Line by line, also where the output is a file or a pipe.
                    FileHandle.standardOutput.write(Data((line + "\n").utf8))
                })
            let channel = try await WebhookListener.bind(
                host: host, port: port, delay: DurationText.parse(delay) ?? .zero, journal: journal)
            let place = host.contains(":") ? "[\(host)]" : host
            journal.say("listening on http://\(place):\(channel.localAddress?.port ?? port)/")
            if !secret.isEmpty { journal.say("requests must be signed with \(secret)") }
            try await channel.closeFuture.get()
        }
    }
}
