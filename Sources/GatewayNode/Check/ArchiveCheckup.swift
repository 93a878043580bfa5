import Archive

extension Checkup {
    /// The archive's database: whether it is reached, lets the name and the password in, and has the tables. An SQLite
    /// file, and the table that tells the version, are made where they are not there.
    static func archive(_ settings: Settings) async -> [Finding] {
        let url: ArchiveURL
        do {
            guard let found = try settings.archiveURL() else {
                guard settings.rooms.keepArchive else { return [] }
                return [
                    .warning(
                        "archive", "rooms are to be archived, and archive.url names no database",
                        "set archive.url, and run martlet archive")
                ]
            }
            url = found
        } catch {
            return [.error("archive", "archive.url cannot be used: \(error)", "correct it")]
        }
        do throws(ArchiveError) {
            try await ArchiveStore(url).perform { database throws(ArchiveError) in try database.check() }
            return [.ok("archive", "\(url), tables of this release")]
        } catch {
            switch error {
            case .older:
                return [.warning("archive", "\(error)", "run martlet archive, which brings them to this release's")]
            case .newer: return [.error("archive", "\(error)", "run the later release")]
            case .away: return [.error("archive", "\(error)", "start it, or correct archive.url")]
            case .refused: return [.error("archive", "\(error)", "correct archive.url, or the password, or its rights")]
            case .full, .fenced, .failed: return [.error("archive", "\(error)", "see the database's own log")]
            }
        }
    }
}
