import RedisBackend
import RedisClient
import Testing

@Suite("What a node needs of Redis's ACL")
struct NodeRightsTests {
    @Test func `each command that a script calls is allowed`() {
        for script in Scripts.all + Scripts.archive {
            for call in script.source.matches(of: /redis\.p?call\(\s*'([A-Za-z]+)'(?:\s*,\s*'([A-Za-z]+)')?/) {
                let command = call.1.uppercased()
                let words = call.2.map { "\(command)|\($0.uppercased())" }
                let isAllowed = NodeRights.commands.contains { $0 == command || $0 == words }
                #expect(isAllowed, "\(command) in \(script.name)")
            }
        }
    }

    @Test func `channels of another database have its number`() {
        let rules = NodeRights.rules(prefix: "m", database: 3)
        #expect(rules.starts(with: ["resetkeys", "~m:*", "resetchannels", "&m/3:*", "-@all"]))
        #expect(rules.contains("+client|setname"))
    }
}
