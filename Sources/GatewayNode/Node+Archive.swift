import Archive
import GatewayCore
import Metrics
import RedisBackend

extension Node {
    /// The backend's log, whose history goes on in the archive where there is one.
    func archivedLog(_ backend: Backend, metrics: any MetricsFactory) throws -> any MessageLog {
        guard let url = try settings.archiveURL(), settings.rooms.keepArchive else { return backend.messageLog }
        let log = ArchivedMessageLog(
            backend.messageLog, archive: ArchiveReader(url, metrics: metrics, logger: logger),
            courses: backend.roomCourses, rules: backend.rules)
        backend.recover(from: log, limit: settings.archive.recoverLimit)
        return log
    }
}

extension Settings {
    /// With its password; nil where there is no archive.
    func archiveURL() throws(ArchiveURL.Failure) -> ArchiveURL? {
        guard let text = archive.url else { return nil }
        var url = try ArchiveURL(text)
        if let password = archive.password { url.password = password }
        return url
    }
}
