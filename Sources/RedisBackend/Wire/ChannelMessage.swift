/// A message as it comes over a channel.
package struct ChannelMessage {
    package let epoch: UnsafeRawBufferPointer
    package let seq: Int
    package let timestamp: Int64
    package let body: UnsafeRawBufferPointer

    /// Nil where the bytes are not what `publish` sends; what is given out lies in `bytes` and dies with it.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("m".utf8), let epoch = fields.word(),
            let seq = fields.integer(), let timestamp = fields.integer()
        else { return nil }

        self.epoch = epoch
        self.seq = Int(seq)
        self.timestamp = timestamp
        body = fields.rest
    }
}

/// A message that is not stored, as it comes over a room's channel: `v <timestamp> <body>`.
package struct VolatileMessage {
    package let timestamp: Int64
    package let body: UnsafeRawBufferPointer

    /// Whether the bytes begin as one does.
    package static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.first == UInt8(ascii: "v") }

    /// Nil where the bytes are not what `publish` sends; what is given out lies in `bytes` and dies with it.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("v".utf8), let timestamp = fields.integer() else {
            return nil
        }
        self.timestamp = timestamp
        body = fields.rest
    }
}
