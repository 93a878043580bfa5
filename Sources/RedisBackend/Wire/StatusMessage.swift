/// A user's coming online or going offline as it comes over the user's channel, by the presence scripts:
/// `s <0 offline, 1 there, 2 away> <timestamp>`.
package struct StatusMessage: Hashable, Sendable {
    package let isOnline: Bool
    package let isAway: Bool
    /// Milliseconds since 1970 by Redis's clock.
    package let timestamp: Int64

    /// Nil where the bytes are not what the scripts send.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard let kind = fields.word(), kind.elementsEqual("s".utf8), let flag = fields.word(),
            let timestamp = Int64(String(decoding: fields.rest, as: UTF8.self))
        else { return nil }
        isAway = flag.elementsEqual("2".utf8)
        isOnline = isAway || flag.elementsEqual("1".utf8)
        self.timestamp = timestamp
    }
}
