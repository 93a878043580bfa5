import GatewayCore

/// That a connection is to be closed, as `marks` holds it: connection → `node code text`.
package struct CloseMark: Hashable, Sendable {
    package let connection: String
    /// That holds it.
    package let node: String
    package let reason: CloseReason
    /// What stands beside the code in the close frame.
    package let text: String

    package init(connection: String, node: String, reason: CloseReason, text: String) {
        self.connection = connection
        self.node = node
        self.reason = reason
        self.text = text
    }

    /// Nil where the text is not what the scripts write.
    package init?(connection: String, _ mark: String) {
        let fields = mark.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { return nil }
        self.connection = connection
        node = String(fields[0])
        reason = UInt16(fields[1]).flatMap(CloseReason.init(rawValue:)) ?? .forbidden
        text = String(fields[2])
    }
}
