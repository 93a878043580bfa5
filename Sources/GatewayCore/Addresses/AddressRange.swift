/// A range of addresses as CIDR writes it: `10.0.0.0/8`, `fd00::/8`, or one address alone.
///
/// Two that hold the same addresses are equal, whatever they were written like.
package struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// With nothing behind the prefix.
    let first: IPAddress
    /// Leading bits, of 128, that an address has in common with `first`.
    let prefixBits: Int

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let address = parts.first.flatMap({ IPAddress($0) }), parts.count <= 2 else { return nil }
        let width = text.utf8.contains(UInt8(ascii: ":")) ? 128 : 32
        var bits = width
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let number = Int(parts[1]), number <= width
            else { return nil }
            bits = number
        }
        prefixBits = 128 - width + bits
        first = address.prefix(prefixBits)
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.prefix(prefixBits) == first
    }

    /// As CIDR writes it, a single address without its length.
    package var description: String {
        if prefixBits == 128 { return first.description }
        return first.isV4 && prefixBits >= 96 ? "\(first)/\(prefixBits - 96)" : "\(first)/\(prefixBits)"
    }
}

extension IPAddress {
    /// With all bits behind the first so many, of 128, taken away.
    func prefix(_ bits: Int) -> IPAddress {
        IPAddress(high: high & mask(bits: min(bits, 64)), low: low & mask(bits: max(bits - 64, 0)))
    }

    private func mask(bits: Int) -> UInt64 { bits == 0 ? 0 : UInt64.max << UInt64(64 - bits) }
}
