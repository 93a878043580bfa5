/// Closes single connections by their names, on whatever node they are.
package protocol ConnectionCloser: Sendable {
    /// False where no node has a connection of this name; `unavailable` where one that may have it does not say.
    func close(_ connection: String, _ reason: CloseReason, text: String) async throws(BackendError) -> Bool
}
