extension HistoryPage {
    /// As much of the page as fits into a frame of so many bytes, one message at least, from the end at which reading began.
    package func cut(toBytes limit: Int, readFrom edge: HistoryRange.Edge) -> HistoryPage {
        let isForward =
            switch edge {
            case .after: true
            case .newest, .before: false
            }
        var bytes = 0
        var count = 0
        while count < messages.count {
            bytes += messages[isForward ? count : messages.count - 1 - count].pageBytes
            guard bytes <= limit || count == 0 else { break }
            count += 1
        }
        guard count < messages.count else { return self }
        var page = self
        page.messages = Array(isForward ? messages.prefix(count) : messages.suffix(count))
        page.more = true
        return page
    }
}

extension RoomMessage {
    /// What it takes of a page, at most.
    fileprivate var pageBytes: Int {
        payload.count + room.string.utf8.count + 2 * userId.string.utf8.count + 128
    }
}
