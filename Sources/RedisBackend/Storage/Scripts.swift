import RedisClient

/// The scripts of `Lua/`, as they are loaded into Redis.
struct Scripts: Sendable {
    let publish = Scripts.script("publish", PackageResources.publish_lua, isEpochal: true)
    let position = Scripts.script("position", PackageResources.position_lua, isEpochal: true)
    let history = Scripts.script("history", PackageResources.history_lua, isEpochal: true)
    let meet = Scripts.script("meet", PackageResources.meet_lua, isEpochal: true)
    let touch = Scripts.script("touch", PackageResources.touch_lua, isEpochal: false)
    let beat = Scripts.script("beat", PackageResources.beat_lua, isEpochal: false)

    var all: [RedisScript] { [publish, position, history, meet, touch, beat] }

    /// The shared opening goes behind the first line, which must stay the first: it holds the script's flags.
    private static func script(_ name: String, _ source: [UInt8], isEpochal: Bool) -> RedisScript {
        let text = String(decoding: source, as: UTF8.self)
        guard isEpochal else { return RedisScript(name: name, source: text) }
        let lines = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let opening = String(decoding: PackageResources.epoch_lua, as: UTF8.self)
        return RedisScript(name: name, source: "\(lines[0])\n\(opening)\(lines[1])")
    }
}
