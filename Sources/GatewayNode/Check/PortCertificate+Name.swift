import NIOSSL

extension PortCertificate {
    /// Whether clients that connect to this name take it (RFC 6125, section 6.4; names by `*` stand for one word).
    func isFor(_ name: String) -> Bool {
        let wanted = name.lowercased()
        return leaf.dnsNames.contains { offered in
            guard offered.hasPrefix("*.") else { return offered == wanted }
            guard let dot = wanted.firstIndex(of: ".") else { return false }
            return wanted[dot...] == offered.dropFirst()
        }
    }
}

extension NIOSSLCertificate {
    /// The names that it is for, in lower case.
    fileprivate var dnsNames: [String] {
        _subjectAlternativeNames().compactMap { name in
            guard name.nameType == .dnsName else { return nil }
            return String(decoding: name.contents, as: UTF8.self).lowercased()
        }
    }
}
