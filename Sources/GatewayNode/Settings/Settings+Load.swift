import GatewayCore

extension Settings {
    /// The machine's contribution: its name, and characters nobody can guess.
    package struct Host: Sendable {
        package var name: @Sendable () -> String
        /// So many characters of `a-z 0-9`.
        package var randomCharacters: @Sendable (_ count: Int) -> String

        package init(
            name: @escaping @Sendable () -> String, randomCharacters: @escaping @Sendable (_ count: Int) -> String
        ) {
            self.name = name
            self.randomCharacters = randomCharacters
        }
    }

    /// Settings that a node can start with, and what the operator should hear of them.
    ///
    /// - Parameters:
    ///   - file: The path of a YAML file; nil for none.
    ///   - environment: Its `MARTLET_…` variables override the file; an empty one counts as not set.
    ///   - mayBeEmpty: False where a node runs: a file that is being written, or was on a full disk, does not ask for
    ///     all defaults.
    package static func load(
        file: String?, environment: [String: String], host: Host = .current, mayBeEmpty: Bool = true
    ) throws(SettingsError) -> (settings: Settings, warnings: [String]) {
        var reader = SettingsReader()
        try reader.read(file: file, environment: environment, mayBeEmpty: mayBeEmpty)
        return try reader.decide(host)
    }

    /// Settings as they are written, for commands that use a few of them; nothing is required and nothing made up.
    package static func read(
        file: String?, environment: [String: String]
    ) throws(SettingsError) -> Settings {
        var reader = SettingsReader()
        try reader.read(file: file, environment: environment)
        return reader.settings
    }
}

/// Collects settings from file and environment, then decides what was left open.
struct SettingsReader {
    var settings = Settings()
    var warnings: [String] = []
    private var origins: [String: SettingOrigin] = [:]

    mutating func read(
        file path: String?, environment: [String: String], mayBeEmpty: Bool = true
    ) throws(SettingsError) {
        var lists: SettingsFile?
        if let path {
            let file = try SettingsFile(
                yaml: SmallFile.text(of: path, limit: 1 << 20, called: "the configuration"), path: path)
            guard mayBeEmpty || !file.isEmpty else {
                throw SettingsError("\(path): the file sets nothing; who means all defaults restarts the node")
            }
            for key in SettingKey.all {
                guard let value = file.values[key.path] else { continue }
                try set(key, value.raw, from: .file(path: path, line: value.line))
            }
            lists = file
        }
        try read(environment)
        // Last, since entries that do not say take what log.size and its like came to.
        if let lists {
            settings.pusher.apps = try AppsReader(file: lists).apps()
            settings.auth.issuers = try IssuersReader(file: lists, common: settings.auth.common).issuers()
            settings.rooms.rules = try RoomRulesReader(
                file: lists, defaultLog: settings.rooms.defaultLog,
                defaultDurability: settings.rooms.defaultDurability
            ).rules()
        }
    }

    private mutating func read(_ environment: [String: String]) throws(SettingsError) {
        var unknown = Set(environment.keys.filter { $0.hasPrefix("MARTLET_") })
        for key in SettingKey.all {
            unknown.remove(key.variable)
            let value = environment[key.variable].flatMap { $0.isEmpty ? nil : $0 }
            if let value { try set(key, .text(value), from: .variable(key.variable)) }
            guard let variable = key.fileVariable else { continue }
            unknown.remove(variable)
            guard let path = environment[variable], !path.isEmpty else { continue }
            guard value == nil else {
                throw SettingsError("\(key.path) is given twice (from \(key.variable) and \(variable))")
            }
            guard SmallFile.isPath(path) else {
                throw SettingsError(
                    "\(variable): there is no such file (it takes a file's path, not the secret itself)")
            }
            let text = try SmallFile.text(of: path, limit: 1 << 16, called: variable)
            let end = text.lastIndex { !$0.isNewline }.map { text.index(after: $0) } ?? text.startIndex
            guard end > text.startIndex else { throw SettingsError("\(variable): the file is empty") }
            try set(key, .text(String(text[..<end])), from: .variable(variable))
        }
        let known = SettingKey.all.flatMap { [$0.variable] + ($0.fileVariable.map { [$0] } ?? []) }
        for name in unknown.sorted() {
            warnings.append("\(name) is not a setting\(Spelling.hint(for: name, among: known))")
        }
    }

    private mutating func set(_ key: SettingKey, _ raw: RawSetting, from origin: SettingOrigin) throws(SettingsError) {
        do {
            try key.read(raw, &settings)
        } catch {
            let value = key.isSecret ? "" : " = \(raw.quoted)"
            throw SettingsError("\(key.path)\(value) \(error.problem) (\(origin))")
        }
        origins[key.path] = origin
    }

    /// Applies the rules that span keys, and makes what may be left out.
    mutating func decide(_ host: Settings.Host) throws(SettingsError) -> (settings: Settings, warnings: [String]) {
        settings.areOriginsWritten = origins["client.origins"] != nil
        try decidePusher(
            isModeWritten: origins["auth.mode"] != nil, areRoomsWritten: origins["pusher.publicRooms"] != nil)
        try decideAuth()
        try decideTLS()
        try decideKeys(host)
        try decideWebhooks()
        try decideHook()
        try decideTurn()
        try checkPorts()
        try checkDurability()
        if settings.backend.presence.failoverGrace < .seconds(15) {
            warnings.append(
                "redis.failoverGrace is below 15s: a failover by Sentinel may take longer, and then tells users offline"
            )
        }
        if settings.rooms.keepArchive, settings.redisURL == nil {
            warnings.append(
                "rooms with archive: true need redis.url: no martlet archive reaches the node's own Redis, and what waits fills it"
            )
        }
        if settings.client.maxQueuedBytes < 2 * settings.client.maxMessageBytes {
            throw SettingsError(
                "client.maxQueuedBytes must be at least twice client.maxMessageBytes: a single message would close its readers"
            )
        }
        if settings.nodeId.isEmpty {
            let name = host.name().utf8.prefix(59).filter(SettingCheck.isWordByte)
            let start = name.isEmpty ? "node" : String(decoding: name, as: UTF8.self)
            settings.nodeId = "\(start)-\(host.randomCharacters(4))"
        }
        return (settings, warnings)
    }

    private mutating func decideAuth() throws(SettingsError) {
        let auth = settings.auth
        let isReachable = !LoopbackFence.isLoopback(boundHost: settings.client.host)
        if origins["auth.mode"] == nil, settings.servesSessions, isReachable {
            throw SettingsError(
                "auth.mode must be said, jwt, hook or none, since client.host \(settings.client.host) can be reached from elsewhere"
            )
        }
        switch auth.mode {
        case .jwt:
            try decideIssuers()
        case .none, .hook:
            if auth.common.hasKeys || !auth.issuers.isEmpty {
                let source = auth.common.sources.first ?? "issuers"
                warnings.append("auth.\(source) has no effect: auth.mode is \(auth.mode.rawValue)")
            }
        }
    }

    private func checkDurability() throws(SettingsError) {
        let rooms = settings.rooms
        guard rooms.needReplicas else { return }
        let place = rooms.rules.firstIndex { $0.durability == .replicated }.map { "rooms[\($0)]" } ?? "log"
        guard settings.redisURL != nil else {
            throw SettingsError(
                "\(place).durability = replicated needs redis.url: the node's own Redis has no replica")
        }
        for (index, rule) in rooms.rules.enumerated() where rule.durability == .replicated && rule.log.size == 0 {
            throw SettingsError("rooms[\(index)].durability = replicated keeps nothing: its log.size is 0")
        }
    }

    private func checkPorts() throws(SettingsError) {
        let (client, api) = (settings.client, settings.api)
        if client.port != 0, client.port == api.port, client.host == api.host {
            throw SettingsError("api.port is \(api.port), which client.port has taken already")
        }
    }
}
