/// A page of a room's history that may reach below what the log holds, into the archive: which of both is asked for what, and
/// how the answers are put together.
package struct HistoryPlan {
    package enum Action: Sendable {
        case readLog(HistoryRange)
        case readArchive(ArchiveQuery)
        case answer(HistoryPage)
    }

    private enum State {
        case begun
        /// Going back: the log's part is there, if it was asked, and where it begins.
        case below(HistoryPage, log: Position?)
        /// Going back: the archive ends before the log begins. Whether it goes on within the log is asked: if not, it is
        /// behind.
        case seam(HistoryPage)
        /// Going back by a number alone, in a room that Redis knows nothing of: which epoch is the last one is asked.
        case forgotten(HistoryPage, before: Int)
        /// Going on: the log begins behind a hole, which begins after a number.
        case hole(HistoryPage, after: Int)
        /// Going on from an epoch that Redis does not know any more.
        case former
        /// The archive's part is there; the log's is to follow.
        case following([RoomMessage])
    }

    private let room: RoomName
    private let range: HistoryRange
    /// Nil where Redis knows nothing of the room.
    private let course: EpochCourse?
    private var state = State.begun

    package init(of room: RoomName, _ range: HistoryRange, course: EpochCourse?) {
        self.room = room
        self.range = course.map { range.ending(within: $0) } ?? range
        self.course = course
    }

    private var isForward: Bool {
        switch range.edge {
        case .after: true
        case .newest, .before: false
        }
    }

    package mutating func begin() -> Action {
        let isKnown = range.epoch.map { epoch in course?.stretches.contains { $0.epoch == epoch } ?? false } ?? true
        guard !isKnown, let epoch = range.epoch else { return readLog(range.edge, limit: range.limit) }
        switch range.edge {
        case .newest: return readLog(.newest, limit: range.limit)
        case .before(let seq):
            state = .below(empty, log: nil)
            return readArchive(.backward, Position(epoch: epoch, seq: seq), isPresent: false, limit: range.limit + 1)
        case .after(let seq):
            state = .former
            return readArchive(.forward, Position(epoch: epoch, seq: seq), isPresent: false, limit: range.limit + 1)
        }
    }

    package mutating func logAnswered(_ page: HistoryPage) -> Action {
        var page = page
        page.messages = page.messages.map(relabelled)
        if case .following(let before) = state {
            if let last = before.last?.position, isKnown(last), let first = page.messages.first {
                page.isArchiveAway = first.seq > last.seq + 1
            }
            return .answer(joined(before, page))
        }
        guard !isForward else { return forward(page) }
        if page.more { return .answer(page) }
        if course == nil, case .before(let seq) = range.edge {
            state = .forgotten(page, before: seq)
            return readArchive(.backward, nil, isPresent: true, limit: 1)
        }
        // One more says whether there are any.
        let limit = max(0, range.limit - page.messages.count) + 1
        guard let course else {
            state = .below(page, log: nil)
            return readArchive(.backward, nil, isPresent: true, limit: limit)
        }
        let seq: Int
        switch (page.messages.first, range.edge) {
        case (let first?, _): seq = first.seq
        case (nil, .before(let edge)): seq = min(edge, page.head.seq + 1)
        case (nil, .newest), (nil, .after): seq = page.head.seq + 1
        }
        let place = Position(
            epoch: page.messages.first?.position.epoch ?? course.epoch(of: seq) ?? course.present, seq: seq)
        state = .below(page, log: place)
        return readArchive(.backward, place, isPresent: true, limit: limit)
    }

    /// - Parameter answer: nil where the archive cannot be asked.
    package mutating func archiveAnswered(_ answer: ArchiveAnswer?) -> Action {
        let found = answer?.messages.map(RoomMessage.init) ?? []
        switch state {
        case .below(var page, let log):
            page.isArchiveAway = answer == nil
            let room = max(0, range.limit - page.messages.count)
            page.more = (answer?.more ?? false) || found.count > room
            if let log, answer != nil, room > 0 || found.isEmpty, (found.last?.seq ?? 0) + 1 < log.seq {
                page.messages = found.suffix(room) + page.messages
                state = .seam(page)
                return readArchive(.forward, Position(epoch: log.epoch, seq: log.seq - 1), isPresent: true, limit: 1)
            }
            page.messages = found.suffix(room) + page.messages
            // Of a room that Redis has forgotten the archive's last epoch is the present one.
            if page.head.epoch.isEmpty, let last = found.last { page.head = last.position }
            return .answer(page)
        case .seam(var page):
            page.isArchiveAway = found.isEmpty
            return .answer(page)
        case .forgotten(var page, let seq):
            page.isArchiveAway = answer == nil
            guard let last = found.last?.position else { return .answer(page) }
            page.head = last
            state = .below(page, log: nil)
            let place = Position(epoch: last.epoch, seq: min(seq, last.seq + 1))
            return readArchive(.backward, place, isPresent: false, limit: range.limit + 1)
        case .hole(let page, let after):
            guard let answer else {
                var page = page
                page.isArchiveAway = true
                return .answer(page)
            }
            let first = page.messages.first?.seq ?? Int.max
            let known = found.filter { isKnown($0.position) }
            let part = known.filter { $0.seq < first }
            // Where the archive has more before the log begins, the page ends within it.
            guard !answer.more || part.count < found.count else {
                var page = page
                page.messages = Array(part.prefix(range.limit))
                page.more = true
                return .answer(page)
            }
            var page = joined(part, page)
            // Nothing of it within the log: it is behind.
            page.isArchiveAway =
                part.count == known.count && part.count < range.limit && first != Int.max
                && (part.last?.seq ?? after) + 1 < first
            return .answer(page)
        case .former:
            var page = empty
            page.isArchiveAway = answer == nil
            if page.head.epoch.isEmpty, let last = found.last { page.head = last.position }
            page.messages = Array(found.prefix(range.limit))
            page.more = (answer?.more ?? false) || found.count > range.limit
            guard answer != nil, !page.more, found.count < range.limit, course != nil else { return .answer(page) }
            state = .following(page.messages)
            let last = found.last.flatMap { isKnown($0.position) ? $0.seq : nil }
            return .readLog(
                HistoryRange(edge: .after(last ?? 0), limit: range.limit - found.count))
        case .begun, .following: preconditionFailure("an archive answered that was not asked")
        }
    }

    private mutating func forward(_ page: HistoryPage) -> Action {
        guard case .after(let seq) = range.edge, let course,
            let stretch = course.stretches.first(where: { $0.to > seq })
        else { return .answer(page) }
        let from = max(seq, stretch.from - 1)
        if page.messages.first?.seq == from + 1 { return .answer(page) }
        state = .hole(page, after: from)
        return readArchive(
            .forward, Position(epoch: stretch.epoch, seq: from), isPresent: true, limit: range.limit + 1)
    }

    /// Whether a message of this place is one of those that the room's count runs through.
    private func isKnown(_ position: Position) -> Bool {
        course?.epoch(of: position.seq) == position.epoch
    }

    private func joined(_ before: [RoomMessage], _ page: HistoryPage) -> HistoryPage {
        var joined = page
        let all = before + page.messages
        joined.messages = Array(all.prefix(range.limit))
        joined.more = page.more || all.count > range.limit
        return joined
    }

    private var empty: HistoryPage {
        let head = course.flatMap { course in course.stretches.last.map { Position(epoch: course.present, seq: $0.to) }
        }
        return HistoryPage(room: room, head: head ?? Position(epoch: "", seq: 0), messages: [], more: false)
    }

    /// The log does not say of which epoch its messages are.
    private func relabelled(_ message: RoomMessage) -> RoomMessage {
        guard let epoch = course?.epoch(of: message.seq), epoch != message.position.epoch else { return message }
        return RoomMessage(
            room: message.room, userId: message.userId, msgType: message.msgType, event: message.event,
            payload: message.payload, isRedacted: message.isRedacted, timestamp: message.timestamp,
            position: Position(epoch: epoch, seq: message.seq))
    }

    private func readLog(_ edge: HistoryRange.Edge, limit: Int) -> Action {
        var range = range
        (range.edge, range.epoch, range.limit) = (edge, nil, limit)
        return .readLog(range)
    }

    private func readArchive(
        _ direction: ArchiveQuery.Direction, _ place: Position?, isPresent: Bool, limit: Int
    ) -> Action {
        .readArchive(
            ArchiveQuery(
                room: room, direction: direction, place: place, isPresent: isPresent, limit: limit,
                maxBytes: range.maxBytes))
    }
}

extension HistoryRange {
    /// A former epoch's numbers go no further than it went: beyond that they are the next epoch's.
    fileprivate func ending(within course: EpochCourse) -> HistoryRange {
        guard let epoch, epoch != course.present,
            let end = course.stretches.first(where: { $0.epoch == epoch })?.to
        else { return self }
        var range = self
        switch edge {
        case .newest: break
        case .before(let seq): range.edge = .before(min(seq, end + 1))
        case .after(let seq): range.edge = .after(min(seq, end))
        }
        return range
    }
}

extension RoomMessage {
    /// As it was archived; what was taken away is null.
    package convenience init(_ message: ArchivedMessage) {
        self.init(
            room: RoomName(unchecked: message.room), userId: UserID(unchecked: message.userId),
            msgType: message.msgType, event: message.event.map { EventName(unchecked: $0) },
            payload: message.payload ?? Array("null".utf8), isRedacted: message.payload == nil,
            timestamp: message.sentAt, position: message.position)
    }
}
