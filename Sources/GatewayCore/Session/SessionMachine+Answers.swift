/// What comes back from elsewhere for what a session has asked.
extension SessionMachine {
    /// One for each action that has an answer; what an answer is about is named as the action named it.
    package enum Answer: Sendable {
        /// Of `verify`.
        case verified(result: Result<Identity, TokenError>)
        /// Of `confirm`.
        case confirmed(clearance: Clearance)
        /// Of `register`; where it failed, the registry knows nothing of the connection.
        case registered(result: Result<Registration, RegistrationError>)
        /// Of `enroll`.
        case enrolled(Enrollment, result: Result<RosterState, BackendError>)
        /// Of `readRoster`, with those who are there, and the version that they are of.
        case rosterRead(Joined, id: RequestID?, result: Result<Int64, DirectoryError>)
        /// Of `follow`.
        case streamReady(room: RoomName, start: StreamStart)
        /// The same where the stream could not be had; the asking for it is forgotten by then.
        case streamFailed(room: RoomName, error: BackendError)
        /// Of `publish`.
        case published(id: RequestID?, room: RoomName, result: Result<Published, BackendError>)
        /// Of `readHistory`.
        case history(id: RequestID?, range: HistoryRange, result: Result<HistoryPage, BackendError>)
        /// Of `readMembers`.
        case members(id: RequestID?, room: RoomName, result: Result<MemberPage, DirectoryError>)
        /// Of `findSharers`.
        case sharersFound(id: RequestID?, users: [UserID], sharers: Set<UserID>)
        /// The same where nobody knows; `unwatched` are those that were not watched before either.
        case sharersUnknown(id: RequestID?, users: [UserID], unwatched: [UserID], error: DirectoryError)
        /// Of `watch`.
        case watching(id: RequestID?, users: [UserStatus], refused: [UserID])
        /// The same where so many users as were asked for could not be watched; `unwatched` as above.
        case watchFailed(id: RequestID?, asked: Int, unwatched: [UserID], error: BackendError)
        /// Of `signal`.
        case signalled(id: RequestID?, result: Result<Void, SignalError>)
        /// Of `show`, and of `setState`.
        case shown(id: RequestID?, result: Result<Void, BackendError>)
        /// Of `order` and of `redact`.
        case ordered(id: RequestID?, room: RoomName, result: Result<Int64, GovernError>)
        /// Of `ask`.
        case ruled(Inquiry, Ruling)
    }

    /// Something asked for has its answer, which may be of no interest any more.
    package mutating func answered(_ answer: Answer, now: MonotonicTime) -> [Action] {
        switch answer {
        case .verified(.success(let identity)): verified(identity)
        case .verified(.failure(let error)): refused(error)
        case .confirmed(let clearance): confirmed(clearance)
        case .registered(let result) where isVisitor: named(result)
        case .registered(.success(let registration)): registered(registration)
        case .registered(.failure(let error)): registrationFailed(error)
        case .enrolled(let enrollment, let result): enrolled(enrollment, result)
        case .rosterRead(let joined, let id, let result): rosterRead(joined, id: id, result)
        case .streamReady(let room, let start): streamReady(room, start, now: now)
        case .streamFailed(let room, let error): streamFailed(room, error)
        case .published(let id, let room, let result): published(id: id, room: room, result)
        case .history(let id, let range, let result): historyRead(id: id, range: range, result)
        case .members(let id, let room, let result): membersRead(id: id, room: room, result)
        case .sharersFound(let id, let users, let sharers): sharersFound(id: id, of: users, sharers)
        case .sharersUnknown(let id, let users, let unwatched, let error):
            sharersUnknown(id: id, of: users, unwatched: unwatched, error)
        case .watching(let id, let users, let refused): watching(id: id, users, refused: refused)
        case .watchFailed(let id, let asked, let unwatched, let error):
            watchFailed(id: id, asked: asked, unwatched: unwatched, error.request)
        case .signalled(let id, let result): signalled(id: id, result)
        case .shown(let id, let result): acknowledged(id: id, result)
        case .ordered(let id, let room, let result): ordered(id: id, room: room, result)
        case .ruled(let inquiry, let ruling): ruled(inquiry, ruling, now: now)
        }
    }
}
