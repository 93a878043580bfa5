import Dialects
import FoundationEssentials
import GatewayCore

/// A token taken apart, with its signature not yet looked at (RFC 7515, section 3.1).
struct SignedToken {
    /// Longer tokens are refused unread.
    static let maxBytes = 16_384

    /// As the header names them, whatever they are.
    let algorithm: String
    let keyId: String?
    let payload: Data
    let signature: Data
    /// What the signature is of.
    let signed: Data

    static func checkLength(of token: String) throws(TokenError) {
        guard token.utf8.count <= maxBytes else { throw TokenError("the token is longer than \(maxBytes) bytes") }
    }

    init(_ token: String) throws(TokenError) {
        try SignedToken.checkLength(of: token)
        let bytes = Array(token.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }),
            parts.allSatisfy({ $0.allSatisfy(SignedToken.isBase64URL) })
        else { throw TokenError("the token is not three base64url parts") }
        guard let bytesOfHeader = Base64URL.decode(parts[0]), let header = Header(bytesOfHeader) else {
            throw TokenError("the token's header cannot be read")
        }
        guard !header.demandsExtensions else {
            throw TokenError("the token demands extensions that are not known")
        }
        guard let payload = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2]) else {
            throw TokenError("the token cannot be read")
        }
        algorithm = header.algorithm
        keyId = header.keyId
        self.payload = payload
        self.signature = signature
        signed = Data(bytes[..<(parts[0].count + 1 + parts[1].count)])
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}

/// What counts of a header. Whatever else it holds, such as keys, certificates and URLs of its own, is nobody's business
/// (RFC 8725, section 3.10).
private struct Header {
    var algorithm = ""
    var keyId: String?
    /// `crit` (RFC 7515, section 4.1.11).
    var demandsExtensions = false
    private var isNamed = false

    /// Nil where it is no JSON object with a text `alg`.
    init?(_ bytes: Data) {
        guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
        do {
            try bytes.withUnsafeBytes { bytes in try read(bytes) }
        } catch {
            return nil
        }
        guard isNamed else { return nil }
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        var scanner = JSONScanner(bytes)
        var key = try scanner.firstKey()
        while let member = key {
            let value = try scanner.value()
            if member.equals("alg") {
                let name = value.string?.text
                (algorithm, isNamed) = (name ?? "", name != nil)
            }
            if member.equals("kid") { keyId = value.string?.text }
            if member.equals("crit") { demandsExtensions = true }
            key = try scanner.nextKey()
        }
        try scanner.end()
    }
}
