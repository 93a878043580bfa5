/// How many connections are in a room, as it comes over the room's channel: `n <count>`.
package struct CountMessage: Hashable, Sendable {
    package let connections: Int

    /// Whether the bytes begin as one does.
    package static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.first == UInt8(ascii: "n") }

    /// Nil where the bytes are not what the scripts send.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("n".utf8),
            let connections = Int(String(decoding: fields.rest, as: UTF8.self))
        else { return nil }
        self.connections = connections
    }
}
