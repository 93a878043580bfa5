extension HistoryPage {
    /// As much of the page as fits into so many bytes of payload, one message at least, from the end at which reading began.
    package func cut(toPayloadBytes limit: Int, readFrom edge: HistoryRange.Edge) -> HistoryPage {
        let isForward =
            switch edge {
            case .after: true
            case .newest, .before: false
            }
        var bytes = 0
        var count = 0
        while count < messages.count {
            bytes += messages[isForward ? count : messages.count - 1 - count].payload.count
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
