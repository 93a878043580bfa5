import GatewayCore
import Testing

@Suite
struct UserIDTests {
    @Test(arguments: ["a", "auth0|7", "a@b.c", "ü", "日本", " ", "*", "@x", "👩‍👩‍👧"])
    func `a user is 1 to 128 bytes of text`(name: String) {
        #expect(UserID(name)?.string == name)
    }

    @Test(arguments: ["", "a\u{0}", "\n", "a\u{7F}", "\u{85}", "\u{9F}", String(repeating: "a", count: 129)])
    func `control characters, nothing and too much are no user`(name: String) {
        #expect(UserID(name) == nil)
    }

    @Test(
        arguments: [
            "a", "System", "systems", "auth0|7", "a@b.c", "a b", "ü", "日本 語", "*", "@x", "👩‍👩‍👧", "می\u{200C}خواهم",
            "a\u{A0}b", "\u{301}", String(repeating: "é", count: 64),
        ])
    func `a person's name prints`(name: String) {
        #expect(UserID(person: name)?.string == name)
    }

    @Test(
        arguments: [
            "", "system", " ", " a", "a ", "a\u{A0}", "\u{3000}a", "a\u{2028}b", "a\u{2029}b", "\u{202E}a", "a\u{200B}",
            "\u{FEFF}a", "a\u{AD}b", "a\u{E000}", "a\u{378}", "a\u{E0041}", "a\u{0}", "\n", "a\u{7F}", "\u{9F}",
            "a\u{10FFFF}", String(repeating: "a", count: 129),
        ])
    func `what does not print, stands for the backend or hides at an end is no person's name`(name: String) {
        #expect(UserID(person: name) == nil)
    }

    @Test(arguments: ["system", " "])
    func `messages of the backend, and what Redis holds, bear names that no person may take`(name: String) {
        #expect(UserID(name)?.string == name)
    }

    @Test func `bytes are counted, not characters`() {
        #expect(UserID(String(repeating: "é", count: 64)) != nil)
        #expect(UserID(String(repeating: "é", count: 65)) == nil)
    }

    @Test func `names that look alike are different users`() throws {
        let composed = try #require(UserID("caf\u{E9}"))
        let decomposed = try #require(UserID("cafe\u{301}"))
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(RoomName(inboxOf: composed) != RoomName(inboxOf: decomposed))
    }
}

@Suite
struct RoomNameTests {
    @Test(arguments: [
        "r", "lesson-7", "a_b.c:d=e,f", "A9", "-", "=", ",", ";", "a@b;c", String(repeating: "a", count: 200),
    ])
    func `a room is made of a few characters`(name: String) {
        #expect(RoomName(room: name)?.string == name)
        #expect(RoomName(name)?.string == name)
    }

    @Test(arguments: [
        "", " ", "a b", "ü", "a/b", "*", "@u", "a*", "a\u{0}", "{p}", "@", String(repeating: "a", count: 201),
    ])
    func `everything else is no room proper`(name: String) {
        #expect(RoomName(room: name) == nil)
    }

    @Test func `inboxes and everyone are names of their own kind`() throws {
        let inbox = try #require(RoomName("@a b|ü"))
        #expect(inbox.isInbox)
        #expect(inbox == RoomName(inboxOf: UserID(unchecked: "a b|ü")))
        #expect(RoomName("*") == .everyone)
        #expect(RoomName.everyone.isEveryone)
        #expect(!RoomName.everyone.isInbox)
        #expect(RoomName("@") == nil)
        #expect(RoomName("**") == nil)
    }

    @Test func `an inbox is named by the rule for users, whose 128 bytes do not count the sign`() {
        #expect(RoomName("@" + String(repeating: "u", count: 128)) != nil)
        #expect(RoomName("@" + String(repeating: "u", count: 129)) == nil)
    }
}
