import Crypto
import Dialects
import GatewayCore
import NIOSSL

/// To whom events are sent, and how patiently.
package struct WebhookConfiguration: Sendable {
    package var receivers: [WebhookReceiver]
    /// Each request is signed with every one of them, so that a secret can be changed without an interruption.
    package var secrets: [String]
    /// Those whose receivers are told in Pusher's form; each signs with the first of its secrets.
    package var apps = PusherApps()
    /// How long one request may take, from dialling to the end of the answer.
    package var timeout = Duration.seconds(30)
    /// Requests under way at once to one receiver, so that none takes another's.
    package var concurrency = 8
    /// After how long an event that no attempt has delivered becomes a dead letter.
    package var giveUpAfter = Duration.seconds(24 * 3600)
    /// Whether receivers may lie at private, loopback and link-local addresses.
    package var allowsPrivate = false
    /// A PEM file with authorities to trust beside the system's.
    package var authorityFile: String?
    package var pace = LaneBoard.Pace()
    /// How often the ledger is let go of what everybody has taken.
    package var trimInterval = Duration.seconds(10)
    /// How long a node that ends goes on sending what is there.
    package var drainTimeout = Duration.seconds(3)

    package init(receivers: [WebhookReceiver], secrets: [String]) {
        self.receivers = receivers
        self.secrets = secrets
    }

    /// The certificates in `authorityFile`; throws where it cannot be read or holds none.
    package func authorities() throws -> [NIOSSLCertificate] {
        guard let authorityFile else { return [] }
        let certificates = try NIOSSLCertificate.fromPEMFile(authorityFile)
        guard !certificates.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
        return certificates
    }
}

extension WebhookReceiver {
    /// A receiver under the name that its URL gives it.
    package init(url: String, types: Set<String>?) {
        self.init(name: WebhookReceiver.name(of: url), url: url, types: types)
    }

    /// One that is told in Pusher's form.
    ///
    /// - Parameter app: its id; nil: the first one.
    package init(url: String, ofApp app: String?, events: Set<PusherHookEvent>) {
        self.init(
            name: WebhookReceiver.name(of: "pusher \(app ?? "") \(url)"), url: url,
            types: Set(events.map(\.type.rawValue)))
        form = .pusher(app: app)
    }

    private static func name(of text: String) -> String {
        "hook-" + HexDigits.text(SHA256.hash(data: Array(text.utf8)).prefix(6))
    }
}
