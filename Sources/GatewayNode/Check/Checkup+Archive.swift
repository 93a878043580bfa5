import Archive
import Foundation

extension Checkup {
    /// The archive's database; nothing where the settings name none.
    static func archive(_ settings: Settings) async -> [Finding] {
        let subject = "archive"
        let url: ArchiveURL
        do throws(ArchiveURL.Failure) {
            guard let written = try settings.archiveURL() else {
                guard settings.rooms.keepArchive else { return [] }
                return [.error(subject, "rooms say archive: true, and there is no archive.url", "set it")]
            }
            url = written
        } catch {
            return [.error(subject, "archive.url cannot be used: \(error)", "correct it")]
        }
        // To connect to a file makes it.
        guard url.kind != .sqlite || FileManager.default.fileExists(atPath: url.path) else {
            return [.warning(subject, "\(url) is not there yet", "start martlet archive, which makes it")]
        }
        let store = ArchiveStore(url)
        defer { store.close() }
        do throws(ArchiveError) {
            let found = try await store.perform { database throws(ArchiveError) in try database.versionThere() }
            switch found {
            case 0: return [.warning(subject, "\(url) answers, and has no tables", "start martlet archive")]
            case ArchiveDatabase.newestVersion:
                return [.ok(subject, "\(url) answers, its tables are of version \(found)")]
            case ..<ArchiveDatabase.newestVersion:
                return [
                    .warning(
                        subject, "\(url) has tables of version \(found), \(ArchiveDatabase.newestVersion) is needed",
                        "run martlet archive --migrate")
                ]
            default:
                return [
                    .error(
                        subject, "\(url) has tables of version \(found), which a later release made",
                        "run that release")
                ]
            }
        } catch {
            return [.error(subject, "\(url): \(error)", "correct archive.url, or let this machine reach it")]
        }
    }
}
