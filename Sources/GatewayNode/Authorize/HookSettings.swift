import NIOSSL
import Webhooks

/// The backend that is asked about clients, and how.
package struct HookSettings: Hashable, Sendable {
    /// What becomes of a client where the backend does not answer.
    package enum OnFailure: String, Sendable, CaseIterable {
        case refuse
        /// Whoever is known without it is let pass.
        case allow
    }

    /// How questions and answers are spelled.
    package enum Format: String, Sendable, CaseIterable {
        case martlet
        /// As Centrifugo's proxies do.
        case centrifugo
    }

    /// Nil where nobody is asked.
    package var url: String?
    package var authorityFile: String?
    /// Requests are signed with each of them.
    package var secrets: [String] = []
    package var timeout = Duration.seconds(2)
    package var onFailure = OnFailure.refuse
    /// Names of headers of the handshake that are passed on.
    package var headers = ["Origin", "User-Agent"]
    /// Calls under way at once.
    package var concurrency = 64
    package var format = Format.martlet
    /// Whether one who shows no token may be let in without a user.
    package var takesGuests = false

    package init() {}

    /// The certificates in `authorityFile`; throws where it cannot be read.
    package func authorities() throws -> [NIOSSLCertificate] {
        guard let authorityFile else { return [] }
        return try NIOSSLCertificate.fromPEMFile(authorityFile)
    }

    /// Asked by https anywhere, by http in networks of one's own alone.
    var reach: AddressGuard.Reach {
        url.flatMap { WebhookURL($0) }?.isSecure ?? true ? .anywhere : .privateAlone
    }

    /// Whether cookies are among what is passed on.
    var passCookies: Bool { headers.contains { $0.lowercased() == "cookie" } }
}
