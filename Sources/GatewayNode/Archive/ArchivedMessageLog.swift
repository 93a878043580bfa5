import GatewayCore
import RedisBackend

/// A log whose history goes on in the archive, in rooms that are kept there.
struct ArchivedMessageLog: MessageLog {
    private let log: any MessageLog
    private let archive: any ArchiveReading
    private let courses: any RoomCourses
    private let rules: Current<RoomRules>

    init(_ log: any MessageLog, archive: any ArchiveReading, courses: any RoomCourses, rules: Current<RoomRules>) {
        self.log = log
        self.archive = archive
        self.courses = courses
        self.rules = rules
    }

    func publish(
        _ publication: Publication, reply: @escaping @Sendable (Result<Published, BackendError>) -> Void
    ) {
        log.publish(publication, reply: reply)
    }

    func claim(
        key: String, digest: String, id: String, beside room: RoomName,
        reply: @escaping @Sendable (Result<String, BackendError>) -> Void
    ) {
        log.claim(key: key, digest: digest, id: id, beside: room, reply: reply)
    }

    func history(
        of room: RoomName, range: HistoryRange,
        reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void
    ) {
        guard rules.now.isArchived(room) else { return log.history(of: room, range: range, reply: reply) }
        courses.course(of: room) { result in
            switch result {
            case .failure(let error): reply(.failure(error))
            case .success(let course):
                var plan = HistoryPlan(of: room, range, course: course)
                let action = plan.begin()
                carryOut(action, plan, in: room, reply)
            }
        }
    }

    private func carryOut(
        _ action: HistoryPlan.Action, _ plan: HistoryPlan, in room: RoomName,
        _ reply: @escaping @Sendable (Result<HistoryPage, BackendError>) -> Void
    ) {
        switch action {
        case .answer(let page): reply(.success(page))
        case .readLog(let range):
            log.history(of: room, range: range) { result in
                switch result {
                case .failure(let error): reply(.failure(error))
                case .success(let page):
                    var plan = plan
                    let next = plan.logAnswered(page)
                    carryOut(next, plan, in: room, reply)
                }
            }
        case .readArchive(let query):
            archive.read(query) { answer in
                var plan = plan
                let next = plan.archiveAnswered(answer)
                carryOut(next, plan, in: room, reply)
            }
        }
    }
}
