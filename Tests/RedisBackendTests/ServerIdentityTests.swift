import RedisBackend
import RedisClient
import Testing

struct ServerIdentityTests {
    private var identity = ServerIdentity()
    private let old = ServerID(runID: "run-1", replicationID: "data-1")
    private let new = ServerID(runID: "run-2", replicationID: "data-2")
    private let changed = ServerID(runID: "run-1", replicationID: "data-3")

    @Test mutating func `links to one server stay, and those that are gone count for nothing`() {
        #expect(identity.isOne)
        #expect(identity.stands(.commands, on: old).isEmpty)
        #expect(identity.stands(.beats, on: old).isEmpty)
        identity.fell(.beats)
        #expect(identity.isOne)
        #expect(identity.stands(.beats, on: old).isEmpty)
    }

    @Test mutating func `a link that lands elsewhere takes the others along, and until all are there they are not one`()
    {
        for link in [ServerIdentity.Link.commands, .beats, .subscriptions] { _ = identity.stands(link, on: old) }
        identity.fell(.commands)
        #expect(identity.isOne)
        #expect(
            identity.stands(.commands, on: new) == [
                .init(.beats, from: old), .init(.subscriptions, from: old),
            ])
        #expect(!identity.isOne)
        identity.fell(.beats)
        #expect(!identity.isOne)
        identity.fell(.subscriptions)
        #expect(identity.isOne)
        #expect(identity.stands(.beats, on: new).isEmpty)
        #expect(identity.stands(.subscriptions, on: new).isEmpty)
        #expect(identity.isOne)
    }

    @Test mutating func `a link that lands on the former server again is followed too, rather than held against it`() {
        _ = identity.stands(.commands, on: old)
        _ = identity.stands(.beats, on: new)
        identity.fell(.commands)
        #expect(identity.stands(.commands, on: old) == [.init(.beats, from: new)])
        #expect(!identity.isOne)
    }

    @Test mutating func `a server that has other data under unbroken links is left by all of them`() {
        for link in [ServerIdentity.Link.commands, .beats, .subscriptions] { _ = identity.stands(link, on: old) }
        #expect(
            identity.changed(under: .beats) == [
                .init(.commands, from: old), .init(.beats, from: old), .init(.subscriptions, from: old),
            ])
        #expect(!identity.isOne)
        identity.fell(.commands)
        #expect(!identity.isOne)
        identity.fell(.beats)
        identity.fell(.subscriptions)
        #expect(identity.isOne)
        for link in [ServerIdentity.Link.commands, .beats, .subscriptions] {
            #expect(identity.stands(link, on: changed).isEmpty)
        }
        #expect(identity.isOne)
    }

    @Test mutating func `a link that was led to a replica is trouble until it stands, and takes no other along`() {
        _ = identity.stands(.commands, on: old)
        _ = identity.stands(.beats, on: old)
        identity.foundUnfit(.beats, reason: "a replica")
        #expect(identity.isOne && identity.trouble == .unfit(reason: "a replica"))
        identity.fell(.beats)
        #expect(identity.trouble == .unfit(reason: "a replica"))
        #expect(identity.stands(.beats, on: new) == [.init(.commands, from: old)])
        #expect(identity.trouble == .apart)
        identity.fell(.commands)
        #expect(identity.trouble == nil)
    }

    @Test mutating func `links that find the same after all are one again`() {
        _ = identity.stands(.beats, on: old)
        #expect(identity.changed(under: .beats) == [.init(.beats, from: old)])
        identity.fell(.beats)
        #expect(identity.stands(.beats, on: old).isEmpty)
        #expect(identity.isOne)
        #expect(identity.changed(under: .subscriptions).isEmpty)
    }

    @Test func `two histories of one process are two servers, and scripts are told both halves`() {
        #expect(old != changed && old.token != changed.token)
        let long = ServerID(
            runID: String(repeating: "a", count: 40), replicationID: String(repeating: "b", count: 40))
        #expect(long.token == "\(String(repeating: "a", count: 20)):\(String(repeating: "b", count: 20))")
    }
}
