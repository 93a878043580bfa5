/// A user's coming online or going offline as it comes over the user's channel, by the presence scripts:
/// `s <1 or 0> <timestamp>`.
package struct StatusMessage: Hashable, Sendable {
    package let isOnline: Bool
    /// Milliseconds since 1970 by Redis's clock.
    package let timestamp: Int64

    /// Nil where the bytes are not what the scripts send.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("s".utf8), let flag = fields.word(),
            let timestamp = Int64(String(decoding: fields.rest, as: UTF8.self))
        else { return nil }
        isOnline = flag.elementsEqual("1".utf8)
        self.timestamp = timestamp
    }
}
