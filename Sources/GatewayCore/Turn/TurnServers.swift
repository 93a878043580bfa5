/// TURN servers of the deployment, and credentials for them that end by themselves.
///
/// They are those that coturn's `use-auth-secret` checks, of the draft "A REST API For Access To TURN Services": the name
/// says until when it is good, and the password is the name signed with a secret that the servers share.
package struct TurnServers: Sendable {
    /// As browsers take them: `turn:turn.example.org:3478?transport=udp`.
    package let urls: [String]
    /// For how long credentials are good.
    package let life: Duration
    /// HMAC-SHA1 of a name by the servers' secret, in base64.
    private let sign: @Sendable (String) -> String

    package init(urls: [String], life: Duration, sign: @escaping @Sendable (String) -> String) {
        self.urls = urls
        self.life = life
        self.sign = sign
    }

    /// - Parameter now: milliseconds since 1970.
    package func credentials(for user: UserID, now: Int64) -> TurnCredentials {
        let seconds = life.components.seconds
        let name = "\(now / 1000 + seconds):\(user)"
        return TurnCredentials(urls: urls, username: name, credential: sign(name), seconds: Int(seconds))
    }

    /// What is answered where there are none.
    package static let absent = RequestError(.notFound, "this gateway has no TURN servers (turn.urls)")
}

/// The way to TURN servers for one user, for a while.
package struct TurnCredentials: Hashable, Sendable {
    package var urls: [String]
    package var username: String
    package var credential: String
    /// For how long they are good.
    package var seconds: Int

    package init(urls: [String], username: String, credential: String, seconds: Int) {
        self.urls = urls
        self.username = username
        self.credential = credential
        self.seconds = seconds
    }
}
