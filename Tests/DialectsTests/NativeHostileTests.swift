import Dialects
import GatewayCore
import Testing
import TestSupport

/// Frames that nobody should send, in memory that ends where they end.
@Suite struct NativeHostileTests {
    let dialect = NativeDialect()

    static let requests = [
        #"{"type":"message","id":3,"roomId":"r","msgType":1,"payload":{"a":[1,-2.5e3,true,null,"\u0041\\"]},"dedupe":"k"}"#,
        #" { "type" : "join" , "id" : "\"x\u00e9" , "roomId" : "lesson-1" , "more" : [ { } , [ ] ] } "#,
        #"{"type":"history","id":-5,"roomId":"@u|7","before":40,"limit":50}"#,
        #"{"type":"auth","id":8,"token":"eyJh.eyJz.c2ln"}"#,
        #"{"type":"leave","roomId":"*"}"#,
        #"{"type":"ping"}"#,
        #"{"type":"join","id":1,"roomId":"r","since":{"epoch":"e\u0041","seq":41,"more":[]}}"#,
        #"{"type":"resume","id":1,"since":{"r":{"epoch":"e","seq":41},"@u\"":{"seq":0},"*":{"epoch":"","seq":7}}}"#,
        #"{"type":"members","id":4,"roomId":"r","limit":100,"cursor":"c"}"#,
        #"{"type":"watch","id":6,"users":["a","b\u00e9"]}"#,
        #"{"type":"unwatch","users":[ "a" ]}"#,
        #"{"type":"signal","id":7,"to":"bob","roomId":"r","payload":{"sdp":"v=0\r\n"}}"#,
    ]

    static let events = [
        #"{"type":"welcome","connectionId":"c","nodeId":"n","userId":"u","session":"s","resumed":true,"heartbeat":30000,"timestamp":1,"positions":{"@u":{"epoch":"e","seq":3}}}"#,
        #"{"type":"joined","id":1,"roomId":"r","epoch":"e","seq":43,"recovered":true,"members":2,"rosterVersion":9}"#,
        #"{"type":"resumed","id":1,"rooms":[{"roomId":"r","epoch":"e","seq":43,"recovered":true},{"roomId":"s","code":"forbidden"}]}"#,
        #"{"type":"members","id":4,"roomId":"r","members":[{"userId":"u","info":{},"connections":1}],"count":1,"rosterVersion":9,"next":"c"}"#,
        #"{"type":"presence","roomId":"r","events":[{"event":"join","userId":"u","info":{}},{"event":"leave","userId":"v"}],"members":3,"rosterVersion":9,"timestamp":1}"#,
        #"{"type":"watching","id":6,"users":[{"userId":"a","online":true},{"userId":"b","online":false,"lastSeen":5}]}"#,
        #"{"type":"status","userId":"a","online":true,"timestamp":5}"#,
        #"{"type":"signal","roomId":"r","from":"a","payload":{"a":[1]}}"#,
        #"{"type":"ack","id":7}"#,
        #"{"type":"message","roomId":"r","userId":"u","msgType":1,"payload":{"a":[1]},"timestamp":1700000000000,"seq":44}"#,
        #"{"type":"history","id":5,"roomId":"r","epoch":"e","messages":[{"roomId":"r","userId":"u","msgType":1,"payload":1,"timestamp":1,"seq":4}],"more":true}"#,
        #"{"type":"error","id":3,"code":"forbidden","message":"no"}"#,
    ]

    @discardableResult
    private func isRead(_ frame: some Sequence<UInt8>) -> Bool {
        Edge.with(Array(frame)) { bytes in
            if case .success = dialect.decode(bytes) { return true }
            return false
        }
    }

    @discardableResult
    private func isReadByClient(_ frame: some Sequence<UInt8>) -> Bool {
        Edge.with(Array(frame)) { bytes in
            if case .success = dialect.decodeEvent(bytes) { return true }
            return false
        }
    }

    @Test(arguments: requests) func `a request cut short anywhere is refused`(frame: String) {
        #expect(isRead(frame.utf8))
        let end = frame.utf8.count - (frame.hasSuffix(" ") ? 1 : 0)
        for length in 0..<end { #expect(!isRead(frame.utf8.prefix(length))) }
    }

    @Test(arguments: events) func `an event cut short anywhere is refused`(frame: String) {
        #expect(isReadByClient(frame.utf8))
        for length in 0..<frame.utf8.count { #expect(!isReadByClient(frame.utf8.prefix(length))) }
    }

    @Test func `frames changed at random are read or refused, whatever they say`() {
        var random = SplitMix(seed: 20_240_607)
        let interesting = Array(#"{}[]",:\u0e+-.tfn "#.utf8) + [0, 0x1F, 0x7F, 0x80, 0xC0, 0xED, 0xFF]
        for original in NativeHostileTests.requests + NativeHostileTests.events {
            for _ in 0..<1500 {
                var frame = Array(original.utf8)
                for _ in 0..<Int.random(in: 1...6, using: &random) where !frame.isEmpty {
                    let place = Int.random(in: 0..<frame.count, using: &random)
                    let byte = interesting.randomElement(using: &random) ?? 0
                    switch Int.random(in: 0..<5, using: &random) {
                    case 0: frame[place] = byte
                    case 1: frame[place] = UInt8.random(in: .min ... .max, using: &random)
                    case 2: frame.insert(byte, at: place)
                    case 3: frame.remove(at: place)
                    default:
                        let other = Int.random(in: 0..<frame.count, using: &random)
                        frame.insert(contentsOf: frame[min(place, other)..<max(place, other)], at: place)
                    }
                }
                isRead(frame)
                isReadByClient(frame)
            }
        }
    }

    private static func nested(_ count: Int) -> String {
        String(repeating: "[", count: count) + String(repeating: "]", count: count)
    }

    /// Where payloads stand in what the gateway sends: by themselves, and in a page.
    private static let bearers = [
        #"{"type":"message","roomId":"r","userId":"u","msgType":1,"payload":#,"timestamp":1,"seq":4}"#,
        #"{"type":"signal","roomId":"r","from":"a","payload":#}"#,
        #"{"type":"history","roomId":"r","epoch":"e","messages":[{"roomId":"r","userId":"u","msgType":1,"payload":#,"timestamp":1,"seq":4}],"more":false}"#,
        #"{"type":"presence","roomId":"r","events":[{"event":"join","userId":"u","info":{"a":#}}],"members":3,"rosterVersion":9,"timestamp":1}"#,
    ]

    @Test func `a payload may be nested 64 deep, whatever it stands in, and no deeper`() {
        for frame in [
            #"{"type":"message","roomId":"r","payload":#}"#, #"{"type":"signal","to":"b","roomId":"r","payload":#}"#,
            #"{"payload":#,"roomId":"r","type":"message","id":1}"#,
        ] {
            #expect(isRead(frame.replacing("#", with: Self.nested(64)).utf8), "\(frame)")
            #expect(!isRead(frame.replacing("#", with: Self.nested(65)).utf8), "\(frame)")
        }
        for frame in Self.bearers {
            let depth = frame.contains("info") ? 63 : 64
            #expect(isReadByClient(frame.replacing("#", with: Self.nested(depth)).utf8), "\(frame)")
            #expect(!isReadByClient(frame.replacing("#", with: Self.nested(200)).utf8), "\(frame)")
        }
    }

    @Test func `a payload nested 10,000 deep is refused with the request's mark`() {
        let frame = #"{"id":1,"type":"message","roomId":"r","payload":"# + String(repeating: "[", count: 10_000)
        guard case .failure(let refused) = dialect.decode(frame + String(repeating: "]", count: 10_000) + "}") else {
            Issue.record("it was read")
            return
        }
        #expect(refused.error == RequestError(.badRequest, "not JSON: nested too deep at byte 112"))
        #expect(refused.id?.json == Array("1".utf8))
    }

    @Test func `dozens of unknown fields are passed over`() {
        let fields = (0..<60).map { #""f\#($0)":[{}]"# }.joined(separator: ",")
        #expect(isRead(#"{\#(fields),"type":"ping"}"#.utf8))
    }
}
