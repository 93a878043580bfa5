import SocketServer
import Testing

@Suite
struct AddressTests {
    @Test(
        "a range contains the addresses with its prefix",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "9.9.9.9", true),
            ("0.0.0.0/0", "::1", false), ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.128/25", "192.0.2.127", false), ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe80::1", false),
            ("::/0", "10.0.0.1", true), ("2001:db8::/65", "2001:db8::8000:0:0:1", false),
            ("2001:db8::/65", "2001:db8::7000:0:0:1", true), ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ])
    func ranges(range: String, address: String, contains: Bool) throws {
        let range = try #require(AddressRange(range))
        #expect(range.contains(try #require(IPAddress(address))) == contains)
    }

    @Test(
        "what is no range is refused",
        arguments: ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "x", "10.0.0.0/8/8", "1/+1"])
    func badRanges(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test("an address is printed as it is usually written", arguments: ["192.0.2.1", "2001:db8::1", "::1", "0.0.0.0"])
    func printed(text: String) {
        #expect(IPAddress(text)?.description == text)
    }

    @Test(
        "the client is the last address that no trusted proxy has",
        arguments: [
            (["1.2.3.4"], "1.2.3.4"), (["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"), (["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            (["10.0.0.3, 10.0.0.2"], "10.0.0.3"), ([], "10.0.0.1"), (["1.2.3.4, nonsense"], "10.0.0.1"),
            (["nonsense, 10.0.0.2"], "10.0.0.2"), ([" [2001:db8::1]:443 "], "2001:db8::1"), (["1.2.3.4:80"], "1.2.3.4"),
            ([""], "10.0.0.1"), (["2001:db8::1"], "2001:db8::1"),
        ])
    func forwarded(headers: [String], client: String) throws {
        let found = ForwardedFor.client(
            peer: try #require(IPAddress("10.0.0.1")), headers: headers,
            trusted: [try #require(AddressRange("10.0.0.0/8"))])
        #expect(found.description == client)
    }

    @Test("nobody else's word about addresses counts")
    func untrusted() throws {
        let peer = try #require(IPAddress("9.9.9.9"))
        let trusted = [try #require(AddressRange("10.0.0.0/8"))]
        #expect(ForwardedFor.client(peer: peer, headers: ["1.2.3.4"], trusted: trusted) == peer)
        #expect(ForwardedFor.client(peer: peer, headers: ["1.2.3.4"], trusted: []) == peer)
    }
}

@Suite
struct QueryStringTests {
    @Test("the first value of a name is found and its escapes undone")
    func values() throws {
        let query = QueryString("a=1&userId=auth0%7C7%20%C3%BC&userId=x&empty=&flag&=v")
        #expect(try query.value(of: "userId") == "auth0|7 ü")
        #expect(try query.value(of: "a") == "1")
        #expect(try query.value(of: "empty") == "")
        #expect(try query.value(of: "flag") == "")
        #expect(try query.value(of: "none") == nil)
    }

    @Test("a plus is a plus")
    func plus() throws {
        let value = try QueryString("u=a+b").value(of: "u")
        #expect(value == "a+b")
    }

    @Test("half an escape and bytes that are no text are refused")
    func bad() {
        for text in ["u=%", "u=%4", "u=%zz", "u=a%2"] as [Substring] {
            #expect(throws: QueryString.Failure.badEscape) { try QueryString(text).value(of: "u") }
        }
        for text in ["u=%ff", "u=%C3", "u=%ED%A0%80", "u=%C0%80"] as [Substring] {
            #expect(throws: QueryString.Failure.notUTF8) { try QueryString(text).value(of: "u") }
        }
    }
}
