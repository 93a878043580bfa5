import Crypto
import CryptoExtras
import FoundationEssentials
import NIOSSL

/// What is wrong with keys, worded to follow the name of where they come from; it holds nothing of them.
package struct KeyProblem: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

extension KeySet {
    /// The public keys in a PEM text (RFC 7468): bare ones, and those of certificates, each of which may have signed any
    /// token.
    package init(pem text: String) throws(KeyProblem) {
        var keys: [Entry] = []
        for (label, block) in try KeySet.blocks(of: text) {
            guard !label.hasSuffix("PRIVATE KEY") else {
                throw KeyProblem("holds a private key: tokens are checked with the public one alone")
            }
            guard let key = TokenKey(pem: block, label: label) else {
                throw KeyProblem("holds a \(label.lowercased()) that is none of \(TokenKey.kinds)")
            }
            keys.append(Entry(id: nil, key: key, algorithms: key.algorithms))
        }
        guard !keys.isEmpty else { throw KeyProblem("holds no public key in PEM") }
        guard keys.count <= KeySet.mostTried else {
            throw KeyProblem("holds more than \(KeySet.mostTried) keys, each of which would be tried for each token")
        }
        self.init(keys)
    }

    /// The blocks of a PEM text with the words behind their BEGIN; what stands between them is no concern.
    private static func blocks(of text: String) throws(KeyProblem) -> [(label: String, text: String)] {
        var blocks: [(label: String, text: String)] = []
        var open: (label: String, lines: [String])?
        for line in text.split(whereSeparator: \.isNewline).map(String.init) {
            if line.hasPrefix("-----BEGIN "), line.hasSuffix("-----") {
                guard open == nil else { throw KeyProblem("has a block without its END") }
                open = (String(line.dropFirst(11).dropLast(5)), [line])
            } else if var block = open {
                block.lines.append(line)
                open = block
                guard line == "-----END \(block.label)-----" else { continue }
                blocks.append((block.label, block.lines.joined(separator: "\n") + "\n"))
                open = nil
            }
        }
        guard open == nil else { throw KeyProblem("has a block without its END") }
        return blocks
    }
}

extension TokenKey {
    /// Whatever keeps the library from reading a key, it is refused in the same words: hence each `try?`.
    fileprivate init?(pem block: String, label: String) {
        switch label {
        case "PUBLIC KEY", "RSA PUBLIC KEY":
            let lines = block.split(separator: "\n").dropFirst().dropLast()
            guard let der = Data(base64Encoded: lines.joined()) else { return nil }
            self.init(der: der)
        case "CERTIFICATE":
            guard let certificate = try? NIOSSLCertificate(bytes: Array(block.utf8), format: .pem),
                let der = try? certificate.extractPublicKey().toSPKIBytes()
            else { return nil }
            self.init(der: Data(der))
        default:
            return nil
        }
    }

    /// A SubjectPublicKeyInfo (RFC 5280, section 4.1) or an RSAPublicKey (RFC 8017, appendix A.1.1).
    private init?(der: Data) {
        // RFC 8410, section 4: the prefix is the same for every Ed25519 key.
        let prefix: [UInt8] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
        if der.starts(with: prefix) {
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: der.dropFirst(prefix.count)) else {
                return nil
            }
            self = .ed25519(key)
        } else if let key = try? P256.Signing.PublicKey(derRepresentation: der) {
            self = .p256(key)
        } else if let key = try? P384.Signing.PublicKey(derRepresentation: der) {
            self = .p384(key)
        } else if let key = try? P521.Signing.PublicKey(derRepresentation: der) {
            self = .p521(key)
        } else if let key = try? _RSA.Signing.PublicKey(derRepresentation: der),
            TokenKey.rsaBits.contains(key.keySizeInBits)
        {
            self = .rsa(key)
        } else {
            return nil
        }
    }
}
