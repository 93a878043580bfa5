import ControlAPI
import GatewayCore
import NIOHTTP1
import Testing

/// One connection of the api port as a conversation, without one.
@Suite struct HTTPConnectionRulesTests {
    private static let times = HTTPConnectionRules.Times(
        head: .seconds(10), idle: .seconds(90), body: .seconds(30), linger: .seconds(2))

    private static func at(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    private static func rules() -> HTTPConnectionRules { HTTPConnectionRules(times: times, now: at(0)) }

    private static func head(
        _ version: HTTPVersion = .http1_1, _ method: HTTPMethod = .GET, _ headers: HTTPHeaders = [:]
    ) -> HTTPRequestHead {
        HTTPRequestHead(version: version, method: method, uri: "/healthz", headers: headers)
    }

    private static func ok(_ headers: HTTPHeaders = ["content-length": "0"]) -> HTTPResponseHead {
        HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
    }

    @Test func `requests of one packet are served one after the other`() {
        var rules = HTTPConnectionRulesTests.rules()
        for _ in 0..<2 {
            #expect(rules.fate(of: .head) == .passed)
            rules.received(HTTPConnectionRulesTests.head(), now: HTTPConnectionRulesTests.at(1))
            #expect(rules.fate(of: .end) == .passed)
            rules.receivedEnd()
            #expect(rules.fate(of: .head) == .queued)
            #expect(rules.answering(HTTPConnectionRulesTests.ok())?.headers["connection"] == [])
            rules.answered(now: HTTPConnectionRulesTests.at(1))
            #expect(rules.fate(of: .head) == .queued, "the answer is not taken yet")
            #expect(rules.delivered(now: HTTPConnectionRulesTests.at(1)) == .nextRequest)
        }
    }

    @Test(arguments: [
        ("close", false), ("TE, close", false), ("CLOSE", false), ("keep-alive, Close , TE", false), ("closed", true),
        ("keep-alive", true), ("", true),
    ])
    func `close is close wherever it stands in the list`(_ value: String, _ persists: Bool) {
        #expect(HTTPConnectionRulesTests.head(.http1_1, .GET, ["Connection": value]).persists == persists)
        let separate = HTTPConnectionRulesTests.head(.http1_1, .GET, ["Connection": "TE", "connection": value])
        #expect(separate.persists == persists)
    }

    @Test func `HTTP 1_0 ends with the answer but where it asks to stay, and is then told so`() {
        for (headers, persists): (HTTPHeaders, Bool) in [
            ([:], false), (["Connection": "keep-alive"], true), (["Connection": "Keep-Alive, TE"], true),
            (["Connection": "keep-alive, close"], false),
            (["Connection": "keep-alive", "Transfer-Encoding": "chunked"], false),
        ] {
            var rules = HTTPConnectionRulesTests.rules()
            rules.received(HTTPConnectionRulesTests.head(.http1_0, .GET, headers), now: HTTPConnectionRulesTests.at(0))
            rules.receivedEnd()
            let head = rules.answering(HTTPConnectionRulesTests.ok())
            #expect(head?.headers["connection"] == [persists ? "keep-alive" : "close"])
            rules.answered(now: HTTPConnectionRulesTests.at(0))
            #expect(rules.delivered(now: HTTPConnectionRulesTests.at(0)) == (persists ? .nextRequest : .end))
        }
    }

    @Test func `an answer without a length to HTTP 1_0 ends with the connection, not in chunks`() {
        var rules = HTTPConnectionRulesTests.rules()
        rules.received(
            HTTPConnectionRulesTests.head(.http1_0, .GET, ["Connection": "keep-alive"]),
            now: HTTPConnectionRulesTests.at(0))
        rules.receivedEnd()
        let head = rules.answering(HTTPConnectionRulesTests.ok([:]))
        #expect(head?.version == .http1_0 && head?.headers["connection"] == ["close"])
    }

    @Test func `nothing behind a close is passed on, whoever said it`() {
        for (request, answer): (HTTPHeaders, HTTPHeaders) in [
            (["Connection": "close"], [:]), ([:], ["Connection": "close"]), ([:], ["Connection": "Foo, CLOSE"]),
        ] {
            var rules = HTTPConnectionRulesTests.rules()
            rules.received(
                HTTPConnectionRulesTests.head(.http1_1, .GET, request), now: HTTPConnectionRulesTests.at(0))
            rules.receivedEnd()
            #expect(rules.answering(HTTPConnectionRulesTests.ok(answer))?.headers["connection"] == ["close"])
            rules.answered(now: HTTPConnectionRulesTests.at(0))
            #expect(rules.delivered(now: HTTPConnectionRulesTests.at(0)) == .end)
            #expect(rules.fate(of: .head) == .dropped)
            #expect(rules.answering(HTTPConnectionRulesTests.ok()) == nil)
        }
    }

    @Test func `an answer before the request's end is the last, and the rest of the request is thrown away`() {
        var rules = HTTPConnectionRulesTests.rules()
        rules.received(
            HTTPConnectionRulesTests.head(.http1_1, .POST, ["Content-Length": "9"]),
            now: HTTPConnectionRulesTests.at(0))
        #expect(rules.answering(HTTPConnectionRulesTests.ok())?.headers["connection"] == ["close"])
        rules.answered(now: HTTPConnectionRulesTests.at(0))
        #expect(rules.fate(of: .body) == .dropped)
        #expect(rules.delivered(now: HTTPConnectionRulesTests.at(0)) == .end)
        #expect(rules.fate(of: .body) == .dropped)
    }

    @Test func `a client that waits to be asked for the body is asked once, when somebody reads it`() {
        func rules(_ version: HTTPVersion, _ headers: HTTPHeaders) -> HTTPConnectionRules {
            var rules = HTTPConnectionRulesTests.rules()
            rules.received(
                HTTPConnectionRulesTests.head(version, .POST, headers), now: HTTPConnectionRulesTests.at(0))
            return rules
        }
        let expecting: HTTPHeaders = ["Expect": "100-Continue", "Transfer-Encoding": "chunked"]
        var asked = rules(.http1_1, expecting)
        #expect(asked.bodyIsWanted() == true)
        #expect(asked.bodyIsWanted() == false)
        var begun = rules(.http1_1, expecting)
        begun.receivedBody()
        #expect(begun.bodyIsWanted() == false, "it did not wait")
        var answered = rules(.http1_1, expecting)
        _ = answered.answering(HTTPConnectionRulesTests.ok())
        #expect(answered.bodyIsWanted() == false)
        var old = rules(.http1_0, ["Expect": "100-continue", "Content-Length": "3"])
        #expect(old.bodyIsWanted() == false, "HTTP/1.0 knows no 100")
        var empty = rules(.http1_1, ["Expect": "100-continue"])
        #expect(empty.bodyIsWanted() == false, "there is no body to wait for")
    }

    @Test func `each phase has its time`() {
        let at = HTTPConnectionRulesTests.at
        var rules = HTTPConnectionRulesTests.rules()
        #expect(rules.deadline == at(10), "for the first head")
        #expect(rules.hitDeadline(unsentBytes: 0, now: at(9)) == false)
        rules.received(HTTPConnectionRulesTests.head(.http1_1, .POST, ["Content-Length": "9"]), now: at(5))
        #expect(rules.deadline == at(35), "for the body")
        rules.receivedBody()
        #expect(rules.deadline == at(35), "a body in drops gets no more")
        rules.receivedEnd()
        #expect(rules.deadline == nil, "for the answer there is none")
        _ = rules.answering(HTTPConnectionRulesTests.ok())
        rules.answered(now: at(40))
        #expect(rules.deadline == at(70), "to take it")
        #expect(rules.delivered(now: at(41)) == .nextRequest)
        #expect(rules.deadline == at(131), "until the next request")
        #expect(rules.hitDeadline(unsentBytes: 0, now: at(131)) == true)
    }

    @Test func `who takes an answer slowly goes on, who takes nothing of it is closed`() {
        let at = HTTPConnectionRulesTests.at
        var rules = HTTPConnectionRulesTests.rules()
        rules.received(HTTPConnectionRulesTests.head(), now: at(0))
        rules.receivedEnd()
        _ = rules.answering(HTTPConnectionRulesTests.ok())
        rules.answered(now: at(0))
        #expect(rules.hitDeadline(unsentBytes: 5000, now: at(30)) == false)
        #expect(rules.hitDeadline(unsentBytes: 4999, now: at(60)) == false)
        #expect(rules.deadline == at(90))
        #expect(rules.hitDeadline(unsentBytes: 4999, now: at(90)) == true)
    }

    @Test func `an end lingers for a while`() {
        let at = HTTPConnectionRulesTests.at
        var rules = HTTPConnectionRulesTests.rules()
        rules.receivedGarbage(now: at(0))
        _ = rules.answering(HTTPConnectionRulesTests.ok())
        rules.answered(now: at(0))
        #expect(rules.delivered(now: at(1)) == .end)
        #expect(rules.isEnding && rules.deadline == at(3))
        #expect(rules.hitDeadline(unsentBytes: 0, now: at(3)) == true)
    }

    @Test func `a server that ends closes who waits and answers who asked`() {
        let at = HTTPConnectionRulesTests.at
        var idle = HTTPConnectionRulesTests.rules()
        #expect(idle.drain() == true)
        var busy = HTTPConnectionRulesTests.rules()
        busy.received(HTTPConnectionRulesTests.head(), now: at(0))
        busy.receivedEnd()
        #expect(busy.drain() == false)
        #expect(busy.answering(HTTPConnectionRulesTests.ok())?.headers["connection"] == ["close"])
        busy.answered(now: at(0))
        #expect(busy.delivered(now: at(0)) == .end)
    }

    @Test func `only a connection on which nothing is asked may give way`() {
        let at = HTTPConnectionRulesTests.at
        var rules = HTTPConnectionRulesTests.rules()
        #expect(rules.mayGiveWay)
        rules.received(HTTPConnectionRulesTests.head(), now: at(0))
        #expect(!rules.mayGiveWay)
        rules.receivedEnd()
        #expect(!rules.mayGiveWay)
        _ = rules.answering(HTTPConnectionRulesTests.ok())
        rules.answered(now: at(0))
        #expect(rules.mayGiveWay, "it is answered; taking it is the client's affair")
    }
}
