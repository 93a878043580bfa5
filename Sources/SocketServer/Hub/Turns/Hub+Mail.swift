import GatewayCore
import NIOCore

/// Mail is read for a bounded time of each turn: the sockets of the loop, and the pings in them, come in between.
extension Hub {
    private static let mailTime = Duration.milliseconds(20)
    /// Members that wait for what a turn's mail has brought: sending to so many takes about as long.
    private static let maxReceivers = 4096
    private static let nextTurn = TimeAmount.milliseconds(1)
    /// Messages between two looks at the clock.
    private static let unclockedMessages = 16

    func openMail() {
        guard !openedMail.isPostponed else { return }
        let began = now
        if openedMail.isEmpty {
            let taken = mailbox.withLock { $0.takeAll() }
            openedMail.open(taken.letters, messageBytes: taken.messageBytes)
            memory.add(taken.messageBytes, to: .mail)
        }
        readMail()
        sendAll()
        flush()
        if !deliveries.isEmpty { deliveries.flushed(now: now, to: metrics) }
        turned(since: began)
        guard !openedMail.isEmpty else {
            memory.add(-openedMail.messageBytes, to: .mail)
            return openedMail.close()
        }
        openedMail.postpone()
        eventLoop.scheduleTask(in: Hub.nextTurn) { [self] in
            openedMail.resume()
            openMail()
            // Nobody was woken for what came meanwhile.
            if openedMail.isEmpty { openMail() }
        }
    }

    private func readMail() {
        let end = now + Hub.mailTime
        var unclocked = 0
        sending.beginTurn()
        while true {
            while let delivery = openedMail.nextDelivery() {
                receive(delivery)
                unclocked += 1
                if case .messages = delivery, unclocked < Hub.unclockedMessages, sending.receivers < Hub.maxReceivers {
                    continue
                }
                unclocked = 0
                if sending.receivers >= Hub.maxReceivers || now >= end { return }
            }
            guard let letter = openedMail.nextLetter() else { return }
            read(letter)
            unclocked += 1
            guard unclocked >= Hub.unclockedMessages else { continue }
            unclocked = 0
            if now >= end { return }
        }
    }

    private func read(_ letter: Letter) {
        switch letter {
        case .deliveries(let deliveries): openedMail.unfold(deliveries)
        case .answer(let connection, let answer, let work):
            if !waitsForRoster(connection, answer) { connection.answered(answer) }
            switch work {
            case .resumption: resumptionEnded()
            case .pageRead: pageReadEnded()
            case nil: break
            }
        case .roster(let room, let result): rosterRead(room, result)
        case .sharersUnknown(let connection, let id, let users, let error):
            sharersUnknown(id: id, of: users, error, for: connection)
        }
    }
}
