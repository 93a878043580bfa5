import GatewayCore
import SocketServer
import Testing

@Suite
struct ForwardedForTests {
    @Test(
        arguments: [
            (["1.2.3.4"], "1.2.3.4"), (["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"), (["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            (["10.0.0.3, 10.0.0.2"], "10.0.0.3"), ([], "10.0.0.1"), (["1.2.3.4, nonsense"], "10.0.0.1"),
            (["nonsense, 10.0.0.2"], "10.0.0.2"), ([" [2001:db8::1]:443 "], "2001:db8::1"), (["1.2.3.4:80"], "1.2.3.4"),
            ([""], "10.0.0.1"), (["1.2.3.4,"], "1.2.3.4"), (["1.2.3.4", " , ,"], "1.2.3.4"),
            ([",1.2.3.4,,10.0.0.2 ,\t"], "1.2.3.4"),
            ([","], "10.0.0.1"), (["2001:db8::1"], "2001:db8::1"),
        ])
    func `the client is the last address that no trusted proxy has`(headers: [String], client: String) throws {
        let found = ForwardedFor.client(
            peer: try #require(IPAddress("10.0.0.1")), headers: headers,
            trusted: [try #require(AddressRange("10.0.0.0/8"))])
        #expect(found.description == client)
    }

    @Test func `nobody else's word about addresses counts`() throws {
        let peer = try #require(IPAddress("9.9.9.9"))
        let trusted = [try #require(AddressRange("10.0.0.0/8"))]
        #expect(ForwardedFor.client(peer: peer, headers: ["1.2.3.4"], trusted: trusted) == peer)
        #expect(ForwardedFor.client(peer: peer, headers: ["1.2.3.4"], trusted: []) == peer)
    }
}

@Suite
struct QueryStringTests {
    @Test func `the first value of a name is found and its escapes undone`() throws {
        let query = QueryString("a=1&userId=auth0%7C7%20%C3%BC&userId=x&empty=&flag&=v")
        #expect(try query.value(of: "userId") == "auth0|7 ü")
        #expect(try query.value(of: "a") == "1")
        #expect(try query.value(of: "empty") == "")
        #expect(try query.value(of: "flag") == "")
        #expect(try query.value(of: "none") == nil)
    }

    @Test func `a plus is a plus`() throws {
        let value = try QueryString("u=a+b").value(of: "u")
        #expect(value == "a+b")
    }

    @Test func `half an escape and bytes that are no text are refused`() {
        for text in ["u=%", "u=%4", "u=%zz", "u=a%2"] as [Substring] {
            #expect(throws: QueryString.Failure.badEscape) { try QueryString(text).value(of: "u") }
        }
        for text in ["u=%ff", "u=%C3", "u=%ED%A0%80", "u=%C0%80"] as [Substring] {
            #expect(throws: QueryString.Failure.notUTF8) { try QueryString(text).value(of: "u") }
        }
    }
}
