import GatewayCore

/// Letters taken out of the mailbox and not read yet, in their order. Belongs to its hub's event loop.
final class OpenedMail {
    private var letters: ArraySlice<Letter> = []
    /// What is left of the letter that was read last.
    private var deliveries: ArraySlice<StreamDelivery> = []
    /// Of the messages in all that was taken out, until the last of it has been read.
    private(set) var messageBytes = 0
    /// Whether a later turn has been asked for.
    private(set) var isPostponed = false

    var isEmpty: Bool { letters.isEmpty && deliveries.isEmpty }

    func open(_ letters: [Letter], messageBytes: Int) {
        self.letters = letters[...]
        self.messageBytes = messageBytes
    }

    /// The letter's deliveries are read next.
    func unfold(_ deliveries: [StreamDelivery]) { self.deliveries = deliveries[...] }

    func nextDelivery() -> StreamDelivery? { deliveries.popFirst() }

    func nextLetter() -> Letter? { letters.popFirst() }

    /// All has been read, and nothing is kept of it.
    func close() {
        letters = []
        deliveries = []
        messageBytes = 0
    }

    func postpone() { isPostponed = true }

    func resume() { isPostponed = false }
}
