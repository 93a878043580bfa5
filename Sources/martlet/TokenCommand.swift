import ArgumentParser
import Foundation
import GatewayCore
import GatewayNode

/// `martlet token`: signs a token to try the gateway with.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Print a signed token to try the gateway with.",
        discussion: """
            The secret is the node's own: auth.secret of the file, or MARTLET_AUTH_SECRET. For example:

              martlet token --user alice --ttl 15m --rooms '{"lesson-*":["join","publish"]}'

            Real tokens come from your backend, or from whoever signs your users in: with sub, exp and, where wanted, iat
            and rooms.
            """)

    @Option(name: .long, help: "Whom the token names (sub).")
    var user: String

    @Option(name: .long, help: "How long it is good, with a unit: 90s, 15m, 1h.")
    var ttl = "1h"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What it allows: patterns of rooms, each with join, publish, presence, history. Left out, the gateway's rules hold.",
            valueName: "json"))
    var rooms: String?

    @Option(name: .long, help: "What to sign with, in place of the configured secret (other users may see it in ps).")
    var secret: String?

    @OptionGroup var file: ConfigurationOption

    func run() async throws {
        let auth = try Console.orExit {
            try Settings.read(file: file.config, environment: ProcessInfo.processInfo.environment)
        }.auth
        guard let user = UserID(person: user) else { throw ValidationError("--user \(UserID.rule)") }
        guard let ttl = DurationText.parse(ttl), ttl <= .seconds(100 * 365 * 86_400) else {
            throw ValidationError("--ttl takes a time with its unit, such as 90s, 15m or 1h")
        }
        let grants = try grants()
        guard let secret = secret ?? auth.common.secrets.first else {
            throw ValidationError("there is no secret: give MARTLET_AUTH_SECRET, --config or --secret")
        }
        let common = auth.common
        let issuer = JWTIssuer(
            secret: secret, issuer: common.name, audience: common.audience, names: common.names)
        let now = Int64(Date().timeIntervalSince1970)
        print(
            try issuer.token(for: user, issued: now, expires: now + ttl.components.seconds, grants: grants))
    }

    private func grants() throws -> RoomGrants? {
        guard let rooms else { return nil }
        // Whatever is wrong with the JSON, an example says most.
        guard let claim = try? JSONDecoder().decode([String: [String]].self, from: Data(rooms.utf8)) else {
            throw ValidationError(#"--rooms takes an object such as '{"lesson-*":["join","publish"]}'"#)
        }
        do {
            return try RoomGrants(claim: claim)
        } catch {
            throw ValidationError("--rooms: \(error.message)")
        }
    }
}
