import Crypto
import GatewayCore
import Synchronization

/// Signs the session ids that clients are told, so that every node knows an invented one by itself.
///
/// `<id>.1<16 of A-Z a-z 0-9 - _>`: the version of the key and 96 bits of HMAC-SHA256. Redis knows sessions by their id
/// alone: the seal costs no memory there. The key is the deployment's: each node proposes one, and all take the first.
/// Until it is known, ids go out without a seal, and are not known again later.
package final class SessionSeal: Sendable {
    private enum Standing {
        case unknown
        case known(SessionKey)
        /// What the deployment has was made by a release that this one does not understand.
        case unreadable
    }

    private let standing = Mutex(Standing.unknown)
    /// What this node would have all use.
    private let own = SessionKey.text()

    package init() {}

    /// What is proposed to the deployment: the key in use, so that it survives a Redis that was emptied.
    package var proposal: String {
        standing.withLock { if case .known(let key) = $0 { key.text } else { own } }
    }

    /// Whether the deployment's key has been read.
    package var isResolved: Bool {
        standing.withLock { if case .unknown = $0 { false } else { true } }
    }

    /// The deployment's key; false where it cannot be read.
    package func agreed(on text: String) -> Bool {
        let key = SessionKey(text)
        standing.withLock { $0 = key.map { .known($0) } ?? .unreadable }
        return key != nil
    }

    /// As a client is told it.
    package func seal(_ id: SessionID) -> String {
        guard let key else { return id.string }
        var name = id.string
        return name.withUTF8 { name in
            String(unsafeUninitializedCapacity: name.count + 2 + SessionKey.tagLength) { text in
                var end = text[...].initialize(fromContentsOf: name)
                text[end] = UInt8(ascii: ".")
                text[end + 1] = SessionKey.versionByte
                end += 2
                key.writeTag(of: UnsafeRawBufferPointer(name), to: UnsafeMutableBufferPointer(rebasing: text[end...]))
                return end + SessionKey.tagLength
            }
        }
    }

    /// The session that a client names; nil where it was not given out under this key.
    package func open(_ text: String) -> SessionID? {
        guard let key, let parts = SessionSeal.parts(of: text) else { return nil }
        return key.isTag(parts.tag, of: parts.id) ? SessionID(parts.id) : nil
    }

    package func proof(of text: String) -> SessionProof {
        guard key != nil else { return .undecided }
        return open(text) == nil ? .invented : .genuine
    }

    private var key: SessionKey? {
        standing.withLock { if case .known(let key) = $0 { key } else { nil } }
    }

    private static func parts(of text: String) -> (id: String, tag: Substring.UTF8View)? {
        guard let point = text.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
        let seal = text[text.utf8.index(after: point)...]
        guard seal.first == SessionKey.version else { return nil }
        return (String(text[..<point]), seal.dropFirst().utf8)
    }
}

/// The secret of a deployment that its session ids are signed with.
struct SessionKey: Sendable {
    /// Stands in each seal and before the key: another way to sign gets another one.
    static let version: Character = "1"
    static let versionByte = UInt8(ascii: "1")
    /// Characters of a tag.
    static let tagLength = 16
    private static let bytes = 32
    private static let tagBytes = 12
    private static let purpose: StaticString = "martlet session "

    /// As Redis holds it: the version, a colon, and 64 hexadecimal digits.
    let text: String
    /// With the key taken in, which is half the work, and nothing else.
    private let code: HMAC<SHA256>

    /// A new one.
    static func text() -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = (0..<bytes).map { _ in
            let byte = UInt8.random(in: .min ... .max, using: &generator)
            return String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        return "\(version):\(digits.joined())"
    }

    init?(_ text: String) {
        guard text.first == SessionKey.version, text.dropFirst().first == ":" else { return nil }
        let digits = text.dropFirst(2).utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 2 * SessionKey.bytes, digits.count == text.utf8.count - 2 else { return nil }
        self.text = text
        let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        code = HMAC(key: SymmetricKey(data: bytes))
    }

    /// Writes 16 characters that no one without the key can make for this id; without memory of its own but what the code
    /// takes, since each welcome has one.
    func writeTag(of id: UnsafeRawBufferPointer, to tag: UnsafeMutableBufferPointer<UInt8>) {
        var code = code
        code.update(
            data: UnsafeRawBufferPointer(
                start: SessionKey.purpose.utf8Start, count: SessionKey.purpose.utf8CodeUnitCount))
        code.update(data: id)
        code.finalize().withUnsafeBytes { digest in
            Base64URL.encode(UnsafeRawBufferPointer(rebasing: digest[..<SessionKey.tagBytes]), to: tag)
        }
    }

    /// Takes as long for a tag that is nearly right as for any other of its length.
    func isTag(_ tag: some Collection<UInt8>, of id: String) -> Bool {
        guard tag.count == SessionKey.tagLength else { return false }
        var id = id
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: SessionKey.tagLength) { right in
            id.withUTF8 { writeTag(of: UnsafeRawBufferPointer($0), to: right) }
            return zip(tag, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
        }
    }
}

/// RFC 4648, section 5, without padding.
private enum Base64URL {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// - Parameter bytes: three, or a multiple.
    static func encode(_ bytes: UnsafeRawBufferPointer, to text: UnsafeMutableBufferPointer<UInt8>) {
        var end = 0
        for index in stride(from: 0, to: bytes.count - 2, by: 3) {
            let group = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            for place in 0..<4 { text[end + place] = digits[group >> (18 - 6 * place) & 63] }
            end += 4
        }
    }
}
