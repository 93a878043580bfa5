import GatewayCore
import Yams

/// Reads the list `rooms`: entries of `pattern`, `allow`, `outside`, `allowGuests`, `authorize`, `presence`, `durability`, `webhook`, `stream`, `archive`
/// and `log: {size, bytes, age}`.
struct RoomRulesReader {
    let file: SettingsFile
    /// What an entry keeps where it does not say.
    let defaultLog: LogLimits
    let defaultDurability: Durability

    func rules() throws(SettingsError) -> [RoomRule] {
        var rules: [RoomRule] = []
        for (index, node) in file.rooms.enumerated() {
            rules.append(try rule(node, at: "rooms[\(index)]"))
        }
        return rules
    }

    private func rule(_ node: Yams.Node, at place: String) throws(SettingsError) -> RoomRule {
        let fields = try file.fields(
            of: node, at: place,
            known: [
                "pattern", "allow", "outside", "allowGuests", "authorize", "presence", "durability", "webhook",
                "stream", "archive", "log",
            ])
        guard let written = fields["pattern"] else {
            throw file.refusal(of: place, at: node, "has no pattern")
        }
        guard let text = written.scalar?.string, let pattern = RoomPattern(text) else {
            throw file.refusal(
                of: "\(place).pattern", at: written, "is not a room name in which * stands for any characters")
        }
        var rule = RoomRule(pattern: pattern, log: defaultLog)
        if let allow = fields["allow"] { rule.allow = try actions(allow, at: "\(place).allow") }
        if let outside = fields["outside"] {
            rule.outside = try actions(outside, at: "\(place).outside", among: [.presence, .history])
        }
        if let guests = fields["allowGuests"] {
            rule.guestsMay = try actions(guests, at: "\(place).allowGuests", among: [.join, .history])
        }
        if let asked = fields["authorize"] {
            rule.asked = try actions(asked, at: "\(place).authorize", among: [.join, .publish])
        }
        if let presence = fields["presence"] {
            rule.presence = try file.value(presence, at: "\(place).presence", SettingKind<RoomPresence>.choice)
        }
        rule.durability = defaultDurability
        if let durability = fields["durability"] {
            rule.durability = try file.value(durability, at: "\(place).durability", SettingKey.durability)
        }
        if let webhook = fields["webhook"] {
            rule.tellsMessages = try file.value(webhook, at: "\(place).webhook", SettingKind<Bool>.boolean)
        }
        if let stream = fields["stream"] {
            rule.isStreamed = try file.value(stream, at: "\(place).stream", SettingKind<Bool>.boolean)
        }
        if let archive = fields["archive"] {
            rule.isArchived = try file.value(archive, at: "\(place).archive", SettingKind<Bool>.boolean)
        }
        if let log = fields["log"] {
            let limits = try file.fields(of: log, at: "\(place).log", known: ["size", "bytes", "age"])
            if let size = limits["size"] {
                rule.log.size = try file.value(size, at: "\(place).log.size", SettingKey.logSize)
            }
            if let bytes = limits["bytes"] {
                rule.log.bytes = try file.value(bytes, at: "\(place).log.bytes", SettingKey.logBytes)
            }
            if let age = limits["age"] { rule.log.age = try file.value(age, at: "\(place).log.age", SettingKey.logAge) }
        }
        return rule
    }

    private func actions(
        _ node: Yams.Node, at place: String, among all: [RoomAction] = RoomAction.allCases
    ) throws(SettingsError) -> Set<RoomAction> {
        let known = all.map(\.rawValue)
        guard let items = node.sequence else {
            throw file.refusal(of: place, at: node, "is not a list of \(known.joined(separator: ", "))")
        }
        var actions: Set<RoomAction> = []
        for item in items {
            let text = item.scalar?.string ?? ""
            guard let action = all.first(where: { $0.rawValue == text }) else {
                let problem = "holds \(RawSetting.text(text).quoted), which is none of \(known.joined(separator: ", "))"
                throw file.refusal(of: place, at: item, problem + Spelling.hint(for: text, among: known))
            }
            actions.insert(action)
        }
        return actions
    }
}
