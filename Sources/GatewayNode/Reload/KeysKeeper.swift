import ControlAPI
import GatewayCore
import Logging
import Synchronization

/// Keeps the keys of backends as `api.keysFile` has them; a file that is broken changes nothing.
package final class KeysKeeper: WatchedFile {
    private struct State {
        var path: String
        /// What was read last, so that a change can be seen.
        var text: String
        /// What was refused last, so that it is told once.
        var refusal: String?
    }

    private let ring: KeyRing
    /// Why keys may not be such as anybody could guess; nil where they may.
    private let strictness: String?
    private let state: Mutex<State>

    /// Nil where the settings name no such file.
    package init?(_ settings: Settings, ring: KeyRing) throws(SettingsError) {
        guard let path = settings.apiKeysFile else { return nil }
        self.ring = ring
        // Without any at the start the port answers every host.
        strictness =
            settings.keyStrictness
            ?? (settings.api.hasWeakKeys ? nil : "a first key of that kind is taken at the start alone")
        let text = try KeysFile.text(of: path)
        ring.replace(named: try KeysFile.keys(in: text, path: path, strictness: strictness))
        state = Mutex(State(path: path, text: text))
    }

    /// Looks at another file from here on.
    func look(at path: String) {
        state.withLock { state in
            if state.path != path { state = State(path: path, text: "") }
        }
    }

    package func reload(logger: Logger) {
        do throws(SettingsError) {
            let (path, last) = state.withLock { ($0.path, $0.text) }
            let text = try KeysFile.text(of: path)
            guard last != text else { return state.withLock { $0.refusal = nil } }
            let keys = try KeysFile.keys(in: text, path: path, strictness: strictness)
            ring.replace(named: keys)
            state.withLock { $0 = State(path: path, text: text) }
            logger.notice("keys of backends replaced", metadata: ["keys": .array(keys.map { .string($0.name) })])
        } catch {
            let isTold = state.withLock { state in
                defer { state.refusal = error.description }
                return state.refusal == error.description
            }
            guard !isTold else { return }
            logger.error("keys of backends not replaced; those of before count", metadata: ["reason": "\(error)"])
        }
    }
}
