/// The names and addresses that a certificate is for: its subjectAltName (RFC 5280, section 4.2.1.6).
///
/// A host that was named is sought among the names alone, an address among the addresses alone (RFC 9525, section 6): who
/// holds a certificate for an address does not hold the names that lead there.
package struct CertificateNames: Hashable, Sendable {
    /// Each as it stands in the certificate.
    package var names: [[UInt8]]
    /// 4 or 16 bytes each.
    package var addresses: [[UInt8]]
    /// What is neither: mail addresses, URIs and others.
    package var others: Int

    package init(names: [[UInt8]] = [], addresses: [[UInt8]] = [], others: Int = 0) {
        self.names = names
        self.addresses = addresses
        self.others = others
    }

    package var isEmpty: Bool { names.isEmpty && addresses.isEmpty && others == 0 }

    package func include(_ server: ServerName) -> Bool {
        switch server {
        case .address(let address): addresses.contains(address)
        case .name(let name): server.isHostName && names.contains { CertificateNames.covers($0, name) }
        }
    }

    /// A `*` is the whole of the first label, and stands for one that is not `xn--…`.
    private static func covers(_ offered: [UInt8], _ wanted: [UInt8]) -> Bool {
        var offered = offered.map(\.lowercaseASCII)
        if offered.last == UInt8(ascii: ".") { offered.removeLast() }
        guard offered.starts(with: "*.".utf8) else { return offered == wanted }
        let parents = offered.dropFirst(1)
        guard ServerName.isHostName(parents.dropFirst()), !wanted.starts(with: "xn--".utf8),
            let dot = wanted.firstIndex(of: UInt8(ascii: ".")), dot > 0
        else { return false }
        return wanted[dot...] == parents
    }
}
