import GatewayCore
import NIOPosix
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite struct SessionSealTests {
    private let alice = UserID(unchecked: "alice")
    private let key = "1:" + String(repeating: "0f", count: 32)

    private func seal(_ key: String) -> SessionSeal {
        let seal = SessionSeal()
        #expect(seal.agreed(on: key))
        return seal
    }

    @Test func `every node with the key knows an id that one of them gave out`() throws {
        let id = SessionID(of: alice)
        let shown = seal(key).seal(id)
        #expect(shown.hasPrefix(id.string + ".1") && shown.utf8.count == id.string.utf8.count + 18)
        #expect(seal(key).open(shown) == id)
        #expect(seal(key).proof(of: shown) == .genuine)
    }

    @Test func `a seal is the beginning of the HMAC-SHA256 of the id, as any other release writes it`() throws {
        let id = try #require(SessionID("12-ABCDEFGHIJA0123456789B"))
        #expect(seal(key).seal(id) == "\(id.string).1m4Ho0V0GdsGfs8YY")
    }

    @Test func `whatever character of an id is another one, it is invented`() {
        let seal = seal(key)
        let shown = seal.seal(SessionID(of: alice))
        for index in shown.indices {
            for other in "A2-." where other != shown[index] {
                let changed = shown[..<index] + String(other) + shown[shown.index(after: index)...]
                #expect(seal.proof(of: String(changed)) == .invented, "\(changed)")
            }
        }
    }

    @Test func `an id without a seal, with half of one, with another key's, or nonsense is invented`() {
        let seal = seal(key)
        let id = SessionID(of: alice)
        let shown = seal.seal(id)
        let foreign = self.seal("1:" + String(repeating: "f0", count: 32)).seal(id)
        let texts = [id.string, String(shown.dropLast()), shown + "A", foreign, "", ".", ".1", "x.1AAAA", "é.1é"]
        for text in texts {
            #expect(seal.proof(of: text) == .invented)
            #expect(seal.open(text) == nil)
        }
    }

    @Test func `before the key is known nothing can be told of an id, and none is opened`() {
        let early = SessionSeal()
        let id = SessionID(of: alice)
        #expect(!early.isResolved)
        #expect(early.seal(id) == id.string)
        #expect(early.proof(of: seal(key).seal(id)) == .undecided)
        #expect(early.open(seal(key).seal(id)) == nil)
    }

    @Test func `the key of a later release is not understood, and not replaced by another`() {
        for text in ["2:" + String(repeating: "0f", count: 32), "1:0f", "", "1:" + String(repeating: "0g", count: 32)] {
            let seal = SessionSeal()
            #expect(!seal.agreed(on: text))
            #expect(seal.isResolved && seal.proof(of: "0-A") == .undecided)
        }
    }

    @Test func `a proposal is a key, another one for each node, and the deployment's once that is known`() {
        let (one, other) = (SessionSeal(), SessionSeal())
        #expect(one.proposal != other.proposal)
        #expect(other.agreed(on: one.proposal))
        #expect(other.proposal == one.proposal)
    }

    @Test func `nodes agree on one key, and hold to it where Redis has lost it`() async throws {
        let redis = try RedisServerProcess()
        let observer = try Observer(redis)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let first = try await PresenceNode.start("n1", on: redis, settings: .brisk(), loop: loop)
        let second = try await PresenceNode.start("n2", on: redis, settings: .brisk(), loop: loop)
        let session = try await first.connect("c1", "alice").session
        #expect(second.backend.sessionCheck(session) == .genuine)
        #expect(second.backend.sessionCheck(SessionID(of: alice).string) == .invented)
        #expect(try await second.connect("c2", "alice", resuming: session).session == session)
        let name = observer.keys.deployment.name
        let key = try await redis.cli("HGET", name, "sessionKey")
        _ = try await redis.cli("FLUSHALL")
        try await eventually("the key again") { [redis] in try await redis.cli("HGET", name, "sessionKey") == key }
        #expect(second.backend.sessionCheck(session) == .genuine)
        try await first.stop()
        try await second.stop()
    }
}
