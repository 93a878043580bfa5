import Crypto
import Dialects
import GatewayCore

/// What hides, from those who are told of one app alone, at whose name a list that all apps share was left.
///
/// Its key is of all apps' secrets, so that every node has it and nobody who knows one app's. When one of them is changed, cursors of
/// before are refused.
struct CursorSeal: Sendable {
    private let key: SymmetricKey

    init(_ apps: PusherApps) {
        var hash = SHA256()
        for text in ["cursor"] + apps.all.flatMap({ [$0.id] + $0.secrets }) {
            hash.update(data: Array("\(text)\u{0}".utf8))
        }
        key = SymmetricKey(data: hash.finalize())
    }

    /// - Throws: only where the library has no way to do it.
    func close(_ cursor: String) throws -> String {
        let box = try ChaChaPoly.seal(Array(cursor.utf8), using: key)
        return HexDigits.text(box.combined)
    }

    /// Nil for what no seal of these apps has closed.
    func open(_ text: String) -> String? {
        // What cannot be opened is wrong, in whatever way.
        guard let bytes = HexDigits.bytes(text), let box = try? ChaChaPoly.SealedBox(combined: bytes),
            let opened = try? ChaChaPoly.open(box, using: key)
        else { return nil }
        return String(validating: opened, as: UTF8.self)
    }
}
