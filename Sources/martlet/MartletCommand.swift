import ArgumentParser
import GatewayNode

/// `martlet`: without a subcommand it says what there is to do.
@main
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A Redis-backed presence and pub/sub gateway over WebSocket.",
        discussion: """
            To try it on this machine, with nothing configured:

              martlet serve

            It starts a private Redis that keeps nothing, listens on 127.0.0.1:8080 for \
            clients and on 127.0.0.1:8081 for backends, and prints an API key. Open \
            http://127.0.0.1:8081/console, or send something to everyone:

              curl -H 'Authorization: Bearer KEY' \\
                -H 'Content-Type: application/json' \\
                -d '{"to":{"everyone":true},"payload":"hello"}' \\
                http://127.0.0.1:8081/v1/broadcast

            To run it for others, give all nodes the same Redis, API key and token \
            secret, in a file or by variables:

              martlet config > martlet.yaml
              export MARTLET_REDIS_URL=redis://redis:6379
              export MARTLET_API_KEY_FILE=/run/secrets/api-key
              export MARTLET_AUTH_MODE=jwt
              export MARTLET_AUTH_SECRET_FILE=/run/secrets/token-secret
              martlet serve --config martlet.yaml
            """,
        version: MartletVersion.current,
        subcommands: [
            ServeCommand.self, TokenCommand.self, CheckCommand.self, HealthCommand.self, ConfigCommand.self,
            TopCommand.self, BenchCommand.self,
            WebhooksCommand.self, ArchiveCommand.self,
        ])

    static func main() async {
        StandardStreams.fill()
        await main(nil)
    }
}
