/// The policy for a command while Redis has left an older one without an answer for `failFastAfter`.
package enum StallPolicy: Sendable {
    /// It waits for its turn, up to its deadline.
    case wait
    /// It fails at once, and is not sent.
    case fail
}
