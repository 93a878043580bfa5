import GatewayCore

/// A page of history or of members that a client has asked for.
struct PageRead {
    enum Subject {
        case history(RoomName, HistoryRange)
        case members(RoomName, limit: Int, cursor: String?)
        /// All of a room that a visitor enters.
        case roster(Joined)
    }

    let connection: SocketHandler
    let id: RequestID?
    let subject: Subject
}

/// Pages are read a few at a time, whoever wants them: each takes Redis long, and what others ask for stands behind it.
extension Hub {
    func read(_ page: PageRead) {
        pageReads.add(page)
        readPages()
    }

    /// One that was being read has its answer.
    func pageReadEnded() {
        pageReads.ended()
        readPages()
    }

    private func readPages() {
        while let page = pageReads.next() {
            guard page.connection.isOpen else {
                pageReads.ended()
                continue
            }
            read(page.subject, id: page.id, for: page.connection)
        }
    }

    private func read(_ subject: PageRead.Subject, id: RequestID?, for connection: SocketHandler) {
        switch subject {
        case .history(let room, let range):
            judge(.history, in: room, for: connection) { [self] error in
                @Sendable func answer(_ result: Result<HistoryPage, BackendError>) {
                    enqueue(.answer(connection, .history(id: id, range: range, result: result), ends: .pageRead))
                }
                if let error { return answer(.failure(error)) }
                log.history(of: room, range: range, reply: answer)
            }
        case .roster(let joined): readRoster(joined, id: id, for: connection)
        case .members(let room, let limit, let cursor):
            judge(.presence, in: room, for: connection) { [self] error in
                guard let error else {
                    return readMembers(of: room, limit: limit, cursor: cursor, id: id, for: connection)
                }
                let answer = SessionMachine.Answer.members(id: id, room: room, result: .failure(.backend(error)))
                enqueue(.answer(connection, answer, ends: .pageRead))
            }
        }
    }
}
