import GatewayCore

extension Settings {
    /// Why keys of backends may not be such as anybody could guess; nil where they may.
    var keyStrictness: String? {
        LoopbackFence.isLoopback(boundHost: api.host) ? nil : "api.host \(api.host) can be reached from elsewhere"
    }
}

extension SettingsReader {
    /// What spans the keys of backends, and the file that holds some.
    mutating func decideKeys(_ host: Settings.Host) throws(SettingsError) {
        if let path = settings.apiKeysFile {
            settings.api.backendKeys = try KeysFile.keys(at: path, strictness: settings.keyStrictness)
        }
        if let strictness = settings.keyStrictness {
            for key in settings.api.keys {
                guard let problem = KeyStrength.problem(withAPIKey: key) else { continue }
                throw SettingsError(
                    "api.key \(problem), and \(strictness); \(KeyStrength.remedy) (MARTLET_API_KEY)")
            }
        }
        guard settings.api.keys.isEmpty, settings.apiKeysFile == nil else { return }
        guard settings.redisURL == nil else {
            throw SettingsError(
                "api.key is missing: with redis.url set, all nodes need the same one (MARTLET_API_KEY)")
        }
        settings.api.keys = [host.randomCharacters(32)]
        settings.isKeyMade = true
    }
}
