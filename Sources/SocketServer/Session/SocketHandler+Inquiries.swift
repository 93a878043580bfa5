import GatewayCore

/// What the backend is asked about this client.
extension SocketHandler {
    /// What there is to be paid for it is paid before: by the address of one whom nobody knows yet, who waits while that is in
    /// debt; then by the user.
    func ask(_ inquiry: SessionMachine.Inquiry) {
        guard let authorizer = hub.configuration.authorizer, let question = question(inquiry) else { return }
        if machine.isStranger {
            isAskedAbout = hub.budgets.wait(forStrangersAt: address, now: hub.now) == nil
            guard isAskedAbout else {
                hub.census.expose(slot)
                return hub.retryLater(.inquiry(self, inquiry))
            }
            hub.census.shelter(slot)
            // At once, not with what else it spends: the next of the address may ask in the same turn.
            _ = hub.charge(Prices.inquiry, of: self, now: hub.now)
        } else {
            spend(Prices.inquiry, now: hub.now)
        }
        // The one task there is for a question: ended by its ruling, which comes within a bounded time.
        Task { [hub] in
            hub.enqueue(.answer(self, .ruled(inquiry, await authorizer.ruling(on: question))))
        }
    }

    /// The same after a while, where the connection still waits for it.
    func retry(_ inquiry: SessionMachine.Inquiry) {
        guard isOpen, machine.isStranger else { return }
        ask(inquiry)
    }

    private func question(_ inquiry: SessionMachine.Inquiry) -> Question? {
        guard var shown else { return nil }
        let subject: Question.Subject
        var user = machine.identity?.userId
        switch inquiry.subject {
        case .connect(let known, let token):
            subject = .connect
            user = known
            if let token { shown = shown.with(token: token) }
            // Whoever is let in goes on being asked about with it.
            if machine.identity == nil { self.shown = shown }
        case .join(let room): subject = .join(room)
        case .publish(let room, let payload): subject = .publish(room, payload: payload)
        }
        // A name that came with a token was read from it.
        return Question(
            subject, of: user, isCertain: machine.identity != nil || shown.token != nil, shown: shown,
            connectionId: id.description)
    }

    /// The backend wants to be asked again about the user.
    func askAgain() {
        guard isOpen else { return }
        perform(machine.mustAskAgain())
    }

    /// The same for one that was about to come in when the backend said so: what it has answered may be older.
    func askAgainIfOld(_ user: UserID) {
        guard let authorizer = hub.configuration.authorizer, authorizer.mustAskAgain(about: user, since: began) else {
            return
        }
        askAgain()
    }
}
