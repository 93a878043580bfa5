/// The keys that open `/v1`, known by their SHA-256 only.
///
/// What is presented is hashed too and compared with every key to the last byte, so the time a refusal takes tells
/// neither how long a key is nor how much of it was right, nor which of several it resembled.
package struct APIKeys: Sendable {
    private let keys: [BackendKey]

    /// - Parameter keys: none made of an empty text, which would open to everybody.
    package init(_ keys: [BackendKey]) {
        self.keys = keys
    }

    /// The key that was presented; nil where it is none of them.
    package func key(_ presented: String) -> BackendKey? {
        let digest = BackendKey.digest(presented)
        var place = -1
        for (index, key) in keys.enumerated() {
            // The same steps for each, whichever it is.
            place += Int(APIKeys.areEqual(digest, key.digest)) * (index - place)
        }
        return place < 0 ? nil : keys[place]
    }

    /// Whether both are the same; where they are of one length, the time it takes tells no more than the answer.
    package static func areSame(_ one: String, _ other: String) -> Bool {
        var (one, other) = (one, other)
        return one.withUTF8 { one in other.withUTF8 { areEqual(one, $0) == 1 } }
    }

    /// The key in `Authorization: Bearer <key>` (RFC 6750, section 2.1); the scheme in any case.
    package static func bearer(in authorization: String) -> String? {
        let scheme = "bearer "
        guard authorization.utf8.count > scheme.utf8.count,
            authorization.prefix(scheme.count).lowercased() == scheme
        else { return nil }
        let key = authorization.dropFirst(scheme.count).drop { $0 == " " }
        return key.isEmpty ? nil : String(key)
    }

    /// 1 where both are the same, else 0, after looking at every byte.
    private static func areEqual(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> UInt8 {
        var difference: UInt8 = left.count == right.count ? 0 : 1
        for (one, other) in zip(left, right) {
            difference |= one ^ other
        }
        return difference == 0 ? 1 : 0
    }
}
