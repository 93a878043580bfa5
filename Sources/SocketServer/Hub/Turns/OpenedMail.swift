import GatewayCore

/// Letters taken out of the mailbox and not read yet, in their order.
///
/// Pure. A class, so that only it writes what it keeps; it belongs to its hub's event loop.
package final class OpenedMail<Letter> {
    private var letters: ArraySlice<Letter> = []
    /// What is left of the letter that was read last.
    private var deliveries: ArraySlice<StreamDelivery> = []
    /// Of the messages in all that was taken out, until the last of it has been read.
    package private(set) var messageBytes = 0
    /// Whether a later turn has been asked for.
    package private(set) var isPostponed = false

    package init() {}

    package var isEmpty: Bool { letters.isEmpty && deliveries.isEmpty }

    package func open(_ letters: [Letter], messageBytes: Int) {
        self.letters = letters[...]
        self.messageBytes = messageBytes
    }

    /// The letter's deliveries are read next.
    package func unfold(_ deliveries: [StreamDelivery]) { self.deliveries = deliveries[...] }

    package func nextDelivery() -> StreamDelivery? { deliveries.popFirst() }

    package func nextLetter() -> Letter? { letters.popFirst() }

    /// All has been read, and nothing is kept of it.
    package func close() {
        letters = []
        deliveries = []
        messageBytes = 0
    }

    package func postpone() { isPostponed = true }

    package func resume() { isPostponed = false }
}
