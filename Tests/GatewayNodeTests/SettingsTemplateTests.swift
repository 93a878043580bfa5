import Foundation
import GatewayNode
import Testing

@Suite("The explained configuration file")
struct SettingsTemplateTests {
    @Test func `config/martlet.yaml is what the key table says`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = try String(contentsOf: root.appendingPathComponent("config/martlet.yaml"), encoding: .utf8)
        #expect(file == SettingsTemplate.yaml, "write it anew: martlet config > config/martlet.yaml")
    }

    @Test func `as it stands it changes nothing`() throws {
        let (settings, defaults) = try (load(SettingsTemplate.yaml).settings, load().settings)
        #expect(written(settings) == written(defaults))
        #expect(settings.rooms == defaults.rooms && !settings.areOriginsWritten)
    }

    @Test func `with every # taken away it gives the defaults, and the rules that are shown`() throws {
        let lines = SettingsTemplate.yaml.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let text = line.drop { $0 == " " }
            // A sentence follows its # after one space, a key after none, an entry of a list after two.
            let isSentence = text.hasPrefix("# ") && !text.hasPrefix("#  ")
            guard text.hasPrefix("#"), !isSentence else { return String(line) }
            return String(line.prefix(line.count - text.count) + text.dropFirst())
        }
        let settings = try load(lines.joined(separator: "\n")).settings
        #expect(settings.rooms.rules.map(\.pattern.description) == ["lesson-*", "orders.*", "news.*"])
        // A * that somebody wrote says more than one that is assumed: it opens a loopback port, too.
        #expect(settings.areOriginsWritten)
        #expect(try written(settings) == written(load().settings))
    }

    @Test func `every key is shown with its variable`() {
        for key in SettingKey.all {
            #expect(SettingsTemplate.yaml.contains("; \(key.variable)"))
        }
        #expect(SettingsTemplate.yaml.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }
}
