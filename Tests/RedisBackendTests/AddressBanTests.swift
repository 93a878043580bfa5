import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

@Suite("Bans of addresses")
struct AddressBanTests {
    private static func range(_ text: String) throws -> AddressRange { try #require(AddressRange(text)) }

    @Test func `every node hears of a ban and of its end`() async throws {
        let fixture = try RedisFixture()
        let address = try #require(IPAddress("203.0.113.7"))
        let banned = [BannedAddresses(), BannedAddresses()]
        try await fixture.withBackends([nil, nil], configure: { $1.bannedAddresses = banned[$0] }) { backends in
            let ban = try await backends[0].addressBans.ban(
                AddressBanTests.range("203.0.113.0/24"), seconds: 3600, reason: "floods")
            #expect(ban.reason == "floods")
            for banned in banned {
                try await eventually("the ban") { banned.contains(address, wallMilliseconds: ban.until - 60_000) }
                // The clocks of Redis and of the node are the same machine's here.
                #expect(!banned.contains(address, wallMilliseconds: ban.until + 60_000))
            }
            #expect(try await backends[1].addressBans.bans() == [ban])
            #expect(try await backends[1].addressBans.lift(AddressBanTests.range("203.0.113.0/25")) == false)
            #expect(try await backends[1].addressBans.lift(AddressBanTests.range("203.0.113.0/24")))
            for banned in banned {
                try await eventually("its end") { !banned.contains(address, wallMilliseconds: ban.until - 60_000) }
            }
            #expect(try await backends[0].addressBans.bans() == [])
        }
    }

    @Test func `a node that starts later, or is cut off meanwhile, goes by what there is`() async throws {
        let fixture = try RedisFixture()
        let address = try #require(IPAddress("2001:db8::9"))
        try await fixture.withBackends([nil]) { backends in
            _ = try await backends[0].addressBans.ban(
                AddressBanTests.range("2001:db8::/64"), seconds: 3600, reason: "")
        }
        let banned = BannedAddresses()
        let proxy = try await FaultProxy.start(target: .unix(path: fixture.redis.socketPath))
        let url = "redis://127.0.0.1:\(proxy.port)"
        try await fixture.withBackends([url, nil], configure: { if $0 == 0 { $1.bannedAddresses = banned } }) {
            backends in
            let now = try #require(try await backends[1].addressBans.bans().first).until - 60_000
            try await eventually("the ban") { banned.contains(address, wallMilliseconds: now) }
            try await proxy.refuse(true)
            try await proxy.cutAll()
            #expect(try await backends[1].addressBans.lift(AddressBanTests.range("2001:db8::/64")))
            #expect(banned.contains(address, wallMilliseconds: now))
            try await proxy.refuse(false)
            try await eventually("its end") { !banned.contains(address, wallMilliseconds: now) }
        }
        try await proxy.stop()
    }

    @Test func `bans end by themselves, leave nothing behind, and a ban again is the later one`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let bans = backends[0].addressBans
            _ = try await bans.ban(AddressBanTests.range("192.0.2.1"), seconds: 1, reason: "a")
            let long = try await bans.ban(AddressBanTests.range("192.0.2.2"), seconds: 1000, reason: "b")
            try await eventually("the first end") { try await bans.bans() == [long] }
            let again = try await bans.ban(AddressBanTests.range("192.0.2.2"), seconds: 1, reason: "c")
            #expect(again.until < long.until)
            try await eventually("the last end") { try await bans.bans().isEmpty }
            try await eventually("the keys' end") {
                try await fixture.redis.cli("KEYS", "m:{nodes}:bans*").isEmpty
            }
        }
    }

    @Test func `there is a most, and those that are over make room`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil]) { backends in
            let bans = backends[0].addressBans
            let present = try await bans.ban(AddressBanTests.range("192.0.2.1"), seconds: 1000, reason: "")
            let crowd = (1...9999).map { "\(present.until) 10.0.\($0 / 256).\($0 % 256)" }
            for start in stride(from: 0, to: crowd.count, by: 1000) {
                let part = crowd[start..<min(start + 1000, crowd.count)].flatMap {
                    $0.split(separator: " ").map(String.init)
                }
                _ = try await RedisServerProcess.cli(
                    ["-s", fixture.redis.socketPath, "ZADD", "m:{nodes}:bans"] + part)
            }
            await #expect(throws: AddressBanError.full) {
                _ = try await bans.ban(AddressBanTests.range("192.0.2.3"), seconds: 1000, reason: "")
            }
            // One that is there already may go on.
            _ = try await bans.ban(AddressBanTests.range("192.0.2.1"), seconds: 1000, reason: "")
            _ = try await fixture.redis.cli("ZADD", "m:{nodes}:bans", "1", "10.0.0.1")
            _ = try await bans.ban(AddressBanTests.range("192.0.2.3"), seconds: 1000, reason: "")
            #expect(try await bans.bans().count == 10_000)
        }
    }
}
