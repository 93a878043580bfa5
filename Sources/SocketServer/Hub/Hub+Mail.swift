import GatewayCore
import NIOCore

/// Letters taken out of the mailbox and not read yet, in their order.
struct OpenedMail {
    var letters: ArraySlice<Letter> = []
    /// What is left of the letter that was read last.
    var deliveries: ArraySlice<StreamDelivery> = []
    /// Of the messages in all that was taken out, until the last of it has been read.
    var messageBytes = 0
    /// Whether a later turn has been asked for.
    var isPostponed = false

    var isEmpty: Bool { letters.isEmpty && deliveries.isEmpty }
}

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
            openedMail = OpenedMail(letters: taken.letters[...], messageBytes: taken.messageBytes)
            memory.add(taken.messageBytes, to: .mail)
        }
        readMail()
        sendAll()
        flush()
        turns.turned(now - began)
        guard !openedMail.isEmpty else {
            memory.add(-openedMail.messageBytes, to: .mail)
            return openedMail = OpenedMail()
        }
        openedMail.isPostponed = true
        eventLoop.scheduleTask(in: Hub.nextTurn) { [self] in
            openedMail.isPostponed = false
            openMail()
            // Nobody was woken for what came meanwhile.
            if openedMail.isEmpty { openMail() }
        }
    }

    private func readMail() {
        let end = now + Hub.mailTime
        var unclocked = 0
        receiversWaiting = 0
        while true {
            while let delivery = openedMail.deliveries.popFirst() {
                take(delivery)
                unclocked += 1
                if case .messages = delivery, unclocked < Hub.unclockedMessages, receiversWaiting < Hub.maxReceivers {
                    continue
                }
                unclocked = 0
                if receiversWaiting >= Hub.maxReceivers || now >= end { return }
            }
            guard let letter = openedMail.letters.popFirst() else { return }
            read(letter)
            unclocked += 1
            guard unclocked >= Hub.unclockedMessages else { continue }
            unclocked = 0
            if now >= end { return }
        }
    }

    private func read(_ letter: Letter) {
        switch letter {
        case .deliveries(let deliveries): openedMail.deliveries = deliveries[...]
        case .registered(let connection, let isResuming, let result):
            connection.registered(result)
            if isResuming { resumptionEnded() }
        case .enrolled(let connection, let room, let result): connection.enrolled(room, result)
        case .published(let connection, let id, let room, let result):
            connection.publishAnswered(id: id, room: room, result)
        case .history(let connection, let id, let range, let result):
            connection.historyAnswered(id: id, range: range, result)
            pageReadEnded()
        case .members(let connection, let id, let room, let result):
            connection.membersAnswered(id: id, room: room, result)
            pageReadEnded()
        case .sharers(let connection, let id, let users, let result):
            sharersAnswered(connection, id: id, users, result)
        case .signalled(let connection, let id, let result): connection.signalAnswered(id: id, result)
        case .confirmed(let connection, let admission): connection.confirmed(admission)
        case .verified(let connection, let result): connection.verified(result)
        }
    }
}
