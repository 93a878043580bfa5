import Dialects
import GatewayCore
import Testing

@Suite("Pusher's channels, apps and socket ids")
struct PusherChannelTests {
    private let apps = PusherApps([
        PusherApp(id: "1", key: "one", secrets: ["s"]), PusherApp(id: "2", key: "two", secrets: ["s"]),
    ])
    private let alone = PusherApps([PusherApp(id: "1", key: "one", secrets: ["s"])])

    private func kind(_ name: String) -> String? {
        PusherChannel(name).map { "\($0.kind)\($0.isCache ? " cache" : "")" }
    }

    @Test func `what a channel is its name says`() {
        #expect(kind("news") == "open")
        #expect(kind("cache-news") == "open cache")
        #expect(kind("private-a") == "signed")
        #expect(kind("private-cache-a") == "signed cache")
        #expect(kind("private-encrypted-a") == "encrypted")
        #expect(kind("private-encrypted-cache-a") == "encrypted cache")
        #expect(kind("presence-a") == "presence")
        #expect(kind("presence-cache-a") == "presence cache")
        #expect(kind("#server-to-user-al,ice|1") == #"user("al,ice|1")"#)
    }

    @Test func `names that no channel has are refused`() {
        for name in [
            "", "a b", "a:b", "a*", "@alice", "#server-to-user-", "#news", "é", String(repeating: "a", count: 201),
        ] {
            #expect(PusherChannel(name) == nil, "\(name)")
        }
        for name in [",;@=._-", String(repeating: "a", count: 200), "a@b"] { #expect(PusherChannel(name) != nil) }
    }

    @Test func `the first app's channels are rooms of the same name, a further one's are its own`() throws {
        let (first, second) = (apps.all[0], apps.all[1])
        let channel = try #require(PusherChannel("presence-a"))
        #expect(channel.room(of: first)?.string == "presence-a")
        #expect(channel.room(of: second)?.string == ":2:presence-a")
        let inbox = try #require(PusherChannel("#server-to-user-al"))
        #expect(inbox.room(of: first)?.string == "@al")
        #expect(inbox.room(of: second)?.string == "@:2:al")
        for app in apps.all {
            for channel in [channel, inbox] {
                let room = try #require(channel.room(of: app))
                #expect(PusherChannel(room, of: app) == channel)
                #expect(PusherChannel(room, of: app.id == "1" ? second : first) == nil)
            }
        }
        #expect(PusherChannel(String(repeating: "a", count: 200))?.room(of: second) == nil)
        #expect(PusherChannel(String(repeating: "a", count: 164))?.room(of: second) != nil)
    }

    @Test func `no app names a user of another's`() {
        let (first, second) = (apps.all[0], apps.all[1])
        #expect(first.user(named: "al")?.string == "al")
        #expect(second.user(named: "al")?.string == ":2:al")
        #expect(first.user(named: ":2:al") == nil)
        #expect(first.name(of: UserID(unchecked: ":2:al")) == nil)
        #expect(second.name(of: UserID(unchecked: "al")) == nil)
        #expect(second.name(of: UserID(unchecked: ":2:al")) == "al")
        #expect(second.user(named: ":2:al")?.string == ":2::2:al")
        #expect(alone.all[0].user(named: ":2:al")?.string == ":2:al")
        for name in ["", "system", "a\n", " a", String(repeating: "a", count: 129)] {
            #expect(first.user(named: name) == nil)
        }
    }

    @Test func `a socket id says the connection's, and back`() throws {
        for id in ["00000000000000", "______________", "aZ09-_aZ09-_aZ", "00000000000001"] {
            let socket = try #require(PusherSocketID(connectionID: id))
            #expect(PusherSocketID.isWellFormed(socket.description))
            #expect(PusherSocketID(socket.description) == socket)
            #expect(PusherSocketID(socket.description)?.connectionID == id)
        }
        for text in ["", "1", "1.", ".1", "1.2.3", "01.2", "+1.2", "4398046511104.1", "a.b", "1.-2"] {
            #expect(PusherSocketID(text) == nil, "\(text)")
        }
        #expect(PusherSocketID(connectionID: "short") == nil)
        #expect(PusherSocketID.isWellFormed("123.456") && !PusherSocketID.isWellFormed("123.4a"))
    }

    @Test func `a client is let in by key, version and origin, or told why not`() {
        func code(_ key: String, _ version: String?, _ origins: [String] = []) -> UInt16? {
            apps.door(key: key, version: version, origins: origins).refusal?.code
        }
        for version in ["5", "6", "7"] { #expect(code("one", version) == nil) }
        #expect(code("none", "7") == 4001)
        #expect(code("one", nil) == 4008)
        #expect(code("one", "") == 4006 && code("one", "seven") == 4006)
        #expect(code("one", "4") == 4007 && code("one", "8") == 4007)
        var narrow = PusherApp(id: "1", key: "one", secrets: ["s"])
        narrow.origins = ["https://a.example"]
        let door = PusherApps([narrow])
        #expect(door.door(key: "one", version: "7", origins: ["https://b.example"]).refusal == .foreignOrigin)
        #expect(door.door(key: "one", version: "7", origins: ["https://a.example"]).refusal == nil)
        #expect(door.door(key: "one", version: "7", origins: []).refusal == nil)
    }
}
