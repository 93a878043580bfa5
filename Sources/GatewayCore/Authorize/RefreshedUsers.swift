/// When the backend last wanted to be asked again about whom. Only some are remembered by name: where there are too many,
/// all users count as meant at the moment of the latest that is forgotten.
struct RefreshedUsers: Sendable {
    private static let most = 20_000

    private var moments: [UserID: MonotonicTime] = [:]
    private var everybody: MonotonicTime?

    func moment(of user: UserID) -> MonotonicTime? {
        guard let own = moments[user] else { return everybody }
        return max(own, everybody ?? own)
    }

    mutating func note(_ user: UserID, now: MonotonicTime) {
        if moments.count >= RefreshedUsers.most { noteAll(now: now) }
        moments[user] = now
    }

    mutating func noteAll(now: MonotonicTime) {
        everybody = now
        moments = [:]
    }
}
