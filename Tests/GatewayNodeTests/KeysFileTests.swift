import ControlAPI
import Foundation
import GatewayCore
import GatewayNode
import Logging
import Testing

@Suite("The file of backends' keys")
struct KeysFileTests {
    /// `printf k-of-the-hashed-one | sha256sum`
    private static let hash = "0a08efd356525b5443664695ebde3658457509f40ed47df64d8bae4929ee4239"

    private static func settings(_ scratch: Scratch, _ text: String, host: String = "127.0.0.1") throws -> Settings {
        let file = try scratch.file("keys.yaml", text)
        return try load(nil, ["MARTLET_API_KEYS_FILE": file, "MARTLET_API_HOST": host]).settings
    }

    @Test func `keys are read with what they open, and then none is made`() throws {
        let settings = try Self.settings(
            try Scratch(),
            """
            - {name: billing, key: 0123456789abcdef, scopes: [read, broadcast], rooms: ["order-*"], rate: 50}
            - name: ops
              sha256: \(Self.hash.uppercased())
              scopes: admin
            """)
        #expect(settings.api.backendKeys.map(\.name) == ["billing", "ops"])
        #expect(settings.api.keys.isEmpty && !settings.isKeyMade)
        #expect(settings.apiFence.serves("example.org"))
        #expect(settings.summary(partitions: 64).contains { $0.contains("with 2 of api.keysFile") })
    }

    @Test(
        arguments: [
            "key: secret", "sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
            // Of `Changeme` and `TEST`.
            "sha256: 9370287b2e0de984e2a3b46a2f5841f2fd843a376a7a014f2598ac85ebac232b",
            "sha256: 94ee059335e587e501cc4bf90613e0814f00a7b08bc7c648fd865a2af6a22cc2",
        ])
    func `a key that anybody could guess fences the port as one of api_key does, its hash too`(key: String) throws {
        let settings = try Self.settings(try Scratch(), "[{name: a, \(key), scopes: [read]}]")
        #expect(!settings.apiFence.serves("example.org"))
    }

    @Test(
        arguments: [
            ("", "keys.yaml holds 0 keys: 1 to 1000 may be there"), ("a: 1", "keys.yaml: the file is not a list"),
            ("- 7", "keys[0] is not a group of name, key, sha256, scopes, rooms, rate (keys.yaml, line 1)"),
            ("- {key: x}", "keys[0] has no name (keys.yaml, line 1)"),
            (
                "- {name: a b}",
                "keys[0].name = \"a b\" is not 1 to 64 characters of A-Z a-z 0-9 . _ - (keys.yaml, line 1)"
            ),
            ("- {name: a, scope: read}", "keys[0].scope is not a key, did you mean scopes? (keys.yaml, line 1)"),
            (
                "- {name: a, key: 0123456789abcdef}",
                "keys[0] has no scopes: list of read, broadcast, moderate, admin, with commas where it is one text (keys.yaml, line 1)"
            ),
            (
                "- {name: a, key: 0123456789abcdef, scopes: [write]}",
                "keys[0].scopes = \"write\" is none of read, broadcast, moderate, admin (keys.yaml, line 1)"
            ),
            ("- {name: a, scopes: read}", "keys[0] has neither key nor sha256 (keys.yaml, line 1)"),
            (
                "- {name: a, scopes: read, key: x, sha256: y}",
                "keys[0] has both key and sha256: one of them is enough (keys.yaml, line 1)"
            ),
            (
                "- {name: a, scopes: read, sha256: abc}",
                "keys[0].sha256 is not 64 hexadecimal digits, as sha256sum prints them (keys.yaml, line 1)"
            ),
            (
                "- {name: a, scopes: admin, key: 0123456789abcdef, rooms: [a]}",
                "keys[0] has rooms, which bind no key with the scope admin (keys.yaml, line 1)"
            ),
            (
                "- {name: a, scopes: read, key: 0123456789abcdef, rate: 0}",
                "keys[0].rate = \"0\" is outside 1 to 1000000 (keys.yaml, line 1)"
            ),
            (
                "[{name: a, scopes: read, key: 0123456789abcdef}, {name: a, scopes: read, key: 0123456789abcdeg}]",
                "keys[1].name is that of another key too (keys.yaml, line 1)"
            ),
            (
                "[{name: a, scopes: read, key: 0123456789abcdef}, {name: b, scopes: read, key: 0123456789abcdef}]",
                "keys[1] is the same key as another (keys.yaml, line 1)"
            ),
            (
                "- {name: a, scopes: read, key: short}",
                "keys[0].key could be guessed, and api.host 0.0.0.0 can be reached from elsewhere; \(KeyStrength.remedy) (keys.yaml, line 1)"
            ),
            (
                "- {name: a, scopes: read, sha256: 057ba03d6c44104863dc7361fe4578965d1887360f90a0895882e58a6248fc86}",
                "keys[0].sha256 is of a key that could be guessed, and api.host 0.0.0.0 can be reached from elsewhere; \(KeyStrength.remedy) (keys.yaml, line 1)"
            ),
        ] as [(String, String)])
    func `what is wrong is told with its place, and never with a key`(text: String, problem: String) throws {
        let scratch = try Scratch()
        do {
            _ = try Self.settings(scratch, text, host: "0.0.0.0")
            Issue.record("taken: \(text)")
        } catch let error as SettingsError {
            #expect(error.description.replacing(scratch.path + "/", with: "") == problem)
        }
    }

    @Test func `a file that changed is taken as a whole, and one that is broken changes nothing`() throws {
        let scratch = try Scratch()
        let settings = try Self.settings(scratch, "[{name: old, key: key-of-the-old-one, scopes: [read]}]")
        let ring = KeyRing(whole: [], named: [], now: { MonotonicTime(nanoseconds: 0) })
        let keeper = try #require(try KeysKeeper(settings, ring: ring))
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        #expect(ring.opens("key-of-the-old-one"))
        _ = try scratch.file("keys.yaml", "[{name: old, key: key-of-the-old-one, scopes: [read]}, {name: new")
        keeper.reload(logger: logger)
        #expect(ring.opens("key-of-the-old-one"))
        _ = try scratch.file("keys.yaml", "[{name: new, key: key-of-the-new-one, scopes: [read]}]")
        keeper.reload(logger: logger)
        #expect(!ring.opens("key-of-the-old-one") && ring.opens("key-of-the-new-one"))
        _ = try scratch.file("keys.yaml", "[{name: new, key: secret, scopes: [read]}]")
        keeper.reload(logger: logger)
        #expect(!ring.opens("secret") && ring.opens("key-of-the-new-one"))
        try FileManager.default.removeItem(atPath: scratch.path + "/keys.yaml")
        keeper.reload(logger: logger)
        #expect(ring.opens("key-of-the-new-one"))
    }
}
