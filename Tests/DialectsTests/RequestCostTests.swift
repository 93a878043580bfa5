import Dialects
import GatewayCore
import Testing

/// Frames that are dear to read for what they are.
@Suite struct RequestCostTests {
    private func decode(_ frame: String) -> Result<ClientRequest, MalformedRequest> {
        Array(frame.utf8).withUnsafeBytes { NativeDialect().decode($0) }
    }

    private func refusal(_ frame: String) -> MalformedRequest? {
        guard case .failure(let malformed) = decode(frame) else { return nil }
        return malformed
    }

    @Test func `a frame has 64 fields at most, and the refusal still bears its id`() throws {
        let most = #"{"type":"ping","id":5"# + String(repeating: #","\n":0"#, count: 62) + "}"
        #expect(refusal(most) == nil)
        let more = #"{"type":"ping","id":5"# + String(repeating: #","\n":0"#, count: 9354) + "}"
        let refused = try #require(refusal(more))
        #expect(refused.error == RequestError(.badRequest, "more than 64 fields"))
        #expect(refused.id == RequestID(json: Array("5".utf8)))
    }

    @Test func `a position has 16 fields at most, and lists end at their bound`() throws {
        let field = #","x":0"#
        let most = #"{"type":"join","roomId":"r","since":{"seq":1"# + String(repeating: field, count: 15) + "}}"
        #expect(refusal(most) == nil)
        let more = #"{"type":"join","roomId":"r","since":{"seq":1"# + String(repeating: field, count: 16) + "}}"
        #expect(refusal(more)?.error.message == "since: more than 16 fields")
        let users = #"{"type":"watch","users":["# + String(repeating: #""a","#, count: 1000) + #""b"]}"#
        #expect(refusal(users)?.error.message == "users: must be 1 to 1000")
        let rooms = (0...1002).map { "\"r\($0)\":{\"seq\":0}" }.joined(separator: ",")
        #expect(refusal(#"{"type":"resume","since":{\#(rooms)}}"#)?.error.message == "since: more than 1002 rooms")
    }

    @Test(
        arguments: [
            (#"\u0074ype"#, true), (#"t\u0079\u0070e"#, true), (#"\u0074\u0079\u0070\u0065"#, true),
            (#"typ\u0065"#, true),
            (#"typ\u00e9"#, false), (#"\n"#, false), (#"type\n"#, false), (#"\ud83dtype"#, false), (#"typ\/"#, false),
            (#"\"type"#, false), (#"typ\u0065x"#, false), (#"\u0074yp"#, false),
        ])
    func `a name written with escapes is the name it stands for, and no other`(name: String, isType: Bool) {
        let wasRead = refusal("{\"\(name)\":\"ping\"}") == nil
        #expect(wasRead == isType)
    }

    @Test func `an error's time to wait is told, and read again`() throws {
        var bytes: [UInt8] = []
        let error = RequestError(.rateLimited, "slow down", retryAfterMilliseconds: 1830)
        NativeDialect().encode(.error(id: nil, error: error), into: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"type":"error","code":"rate_limited","message":"slow down","retryAfterMs":1830}"#)
        guard case .success(.error(_, let read)) = bytes.withUnsafeBytes({ NativeDialect().decodeEvent($0) }) else {
            Issue.record("no error where one was due")
            return
        }
        #expect(read == error)
    }
}
