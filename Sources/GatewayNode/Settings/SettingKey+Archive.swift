import Archive

extension SettingKey {
    /// The keys of `archive`.
    static let archive = [
        SettingKey(
            "archive.url", \.archive.url,
            .optional("postgres://, mysql:// or sqlite:///", check: SettingCheck.archiveURL), isSecret: true,
            """
            The database that martlet archive writes messages of rooms with archive: true to, and that nodes read old \
            history from: \
            postgres://user:password@host:5432/name, mysql://user:password@host:3306/name (MariaDB too) or \
            sqlite:///absolute/path. Behind a question mark tls=verify, encrypt or off (verify is the default for all but \
            this machine), ca=/file.pem (authorities other than the system's) and socket=/path may stand.
            """),
        SettingKey(
            "archive.password", \.archive.password, .optional("text"), isSecret: true,
            "The password for archive.url, where that does not hold it."),
        SettingKey(
            "archive.inboxes", \.rooms.archivesInboxes, .boolean,
            "Whether messages to users are kept in the archive too."),
        SettingKey(
            "archive.everyone", \.rooms.archivesEveryone, .boolean,
            "Whether messages to everyone (*) are kept in the archive too."),
        SettingKey(
            "archive.keep", \.archive.keep, .duration(.zero...(.seconds(876_000 * 3600))),
            """
            How long the archive keeps messages; what is older goes by whole months, when the last of a month is. 0s keeps \
            all.
            """),
        SettingKey(
            "archive.recoverLimit", \.archive.recoverLimit, .integer(0...100_000),
            """
            How many messages a client that joins with an old position is given at most where the archive has what the \
            room's log has let go of; 0 gives what the log has.
            """),
        SettingKey(
            "archive.backlog", \.rooms.archiveBacklog, .integer(1000...10_000_000),
            """
            How many messages each of the 64 streams holds for an archive that does not take them, whatever log.streamSize \
            says; beyond it the oldest go, and where the room's log has lost them too, the archive has a gap.
            """),
        SettingKey(
            "archive.backlogBytes", \.rooms.archiveBacklogBytes, .bytes((64 << 10)...(1 << 40)),
            "How many bytes each of those streams holds then; 64 times as much are the most that they take together."),
        SettingKey(
            "archive.connections", \.archive.connections, .integer(1...32),
            "How many connections to the database a worker writes over at once."),
        SettingKey(
            "archive.host", \.archive.host, .text("address or host name", check: SettingCheck.host),
            "The address that the port of martlet archive is bound to."),
        SettingKey(
            "archive.port", \.archive.port, .integer(0...65_535),
            "The port of martlet archive (/healthz, /readyz, /metrics); 0 takes any free one."),
    ]
}

extension SettingCheck {
    /// The answer holds no part of the URL, which may contain a password.
    static func archiveURL(_ text: String) -> String? {
        do {
            _ = try ArchiveURL(text)
            return nil
        } catch {
            return "cannot be used: \(error)"
        }
    }
}

extension Settings {
    /// Where old history is read from, without user and password.
    var archiveSummary: [String] {
        // A URL that was loaded can be read.
        guard let text = archive.url, let url = try? ArchiveURL(text) else { return [] }
        return ["archive  \(url)" + (rooms.keepArchive ? "" : ", of no use: no room's rule says archive: true")]
    }
}
