import RedisClient
import Testing
import TestSupport

/// Feeds the chunks one after the other; the replies, and then the error if there was one.
private func read(_ chunks: [ArraySlice<UInt8>], maxReplyBytes: Int = 1 << 20) throws -> [String] {
    let reader = try #require(ReplyReader(maxReplyBytes: maxReplyBytes))
    var replies: [String] = []
    for chunk in chunks {
        do {
            // Memory of its own for each chunk, gone after the call: nothing may be read from it later.
            try Array(chunk).withUnsafeBytes { bytes in
                try reader.read(bytes) { reply in
                    replies.append(reply.copied().text)
                    return true
                }
            }
        } catch {
            return replies + ["error"]
        }
    }
    return replies
}

@Suite struct ReplyReaderTests {
    static let stream = Array(
        """
        +OK|:-42|$5|hel\u{1}o|$0||$-1|*-1|*0|-WRONGTYPE no list|*3|$7|message|$4|room|$2|{}|\
        *3|*2|:1|:2|*1|*2|+a|$-1|:9223372036854775807|+|
        """.utf8
    ).flatMap { $0 == UInt8(ascii: "|") ? Array("\r\n".utf8) : [$0] }

    static let replies = [
        "OK", ":-42", "hel\u{1}o", "", "null", "null", "[]", "!WRONGTYPE no list", "[message room {}]",
        "[[:1 :2] [[a null]] :9223372036854775807]", "",
    ]

    static let hostile: [String] = [
        "hello\r\n", "\r\n", ":x\r\n", ":\r\n", ":99999999999999999999\r\n", "$x\r\n", "$-2\r\n", "*-2\r\n",
        "$99999999999999999999\r\n", "*99999999999999999999\r\n", "*2147483647\r\n",
        "$3\r\nabcdef\r\n", "$9223372036854775807\r\n" + String(repeating: "x", count: 64),
        "$1073741824\r\n" + String(repeating: "x", count: 64),
        String(repeating: "*1\r\n", count: 9) + ":1\r\n", String(repeating: "*1\r\n", count: 5000),
        String(repeating: "*9999\r\n", count: 8), "+" + String(repeating: "x", count: 70_000),
        "$" + String(repeating: "1", count: 70_000), "*1\r\n+ok\r\nGET / HTTP/1.1\r\n\r\n", "\0\0\0\0",
    ]

    @Test func `a stream of replies reads the same at once and byte by byte`() throws {
        #expect(try read([Self.stream[...]]) == Self.replies)
        #expect(try read(Self.stream.indices.map { Self.stream[$0...$0] }) == Self.replies)
    }

    @Test func `a stream of replies reads the same with every two splits`() throws {
        let stream = Self.stream
        for first in stream.indices {
            for second in first..<stream.count {
                let chunks = [stream[..<first], stream[first..<second], stream[second...]]
                guard try read(chunks) == Self.replies else {
                    Issue.record("split at \(first) and \(second)")
                    return
                }
            }
        }
    }

    @Test(arguments: hostile)
    func `a hostile reply is an error, wherever it is split`(text: String) throws {
        let bytes = Array(text.utf8)
        #expect(try read([bytes[...]]).last == "error")
        for split in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 50)) {
            #expect(try read([bytes[..<split], bytes[split...]]).last == "error")
        }
    }

    @Test func `replies before the violation are handed over`() throws {
        #expect(try read([Array("+one\r\n:2\r\n!".utf8)[...]]) == ["one", ":2", "error"])
    }

    @Test func `nothing is read after an error`() throws {
        let reader = try #require(ReplyReader(maxReplyBytes: 1024))
        for _ in 0..<3 {
            #expect(throws: RedisError.self) {
                try Array("?\r\n+OK\r\n".utf8).withUnsafeBytes { bytes in
                    try reader.read(bytes) { _ in
                        Issue.record("a reply after an error")
                        return true
                    }
                }
            }
        }
    }

    @Test func `a reply may be as large as allowed and no larger`() throws {
        let large = Array("$50000\r\n\(String(repeating: "x", count: 50_000))\r\n+OK\r\n".utf8)
        #expect(try read([large[...]], maxReplyBytes: 60_000).last == "OK")
        #expect(try read([large[...]], maxReplyBytes: 40_000) == ["error"])
        let many = Array("*1000\r\n\(String(repeating: "$3\r\nabc\r\n", count: 1000))".utf8)
        #expect(try read([many[...]], maxReplyBytes: 20_000).count == 1)
        #expect(try read([many[...]], maxReplyBytes: 10_000) == ["error"])
    }

    @Test func `a large reply arrives whole from small pieces, and small ones after it`() throws {
        let body = String((0..<100_000).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
        let bytes = Array("$100000\r\n\(body)\r\n:7\r\n".utf8)
        let pieces = stride(from: 0, to: bytes.count, by: 1000).map { bytes[$0..<min($0 + 1000, bytes.count)] }
        #expect(try read(pieces) == [body, ":7"])
    }

    @Test func `damaged streams give the same replies however they are split, and never crash`() throws {
        var random = SplitMix(seed: 7)
        let alphabet = Array("0123456789\r\n$*:+-".utf8)
        for _ in 0..<3000 {
            var bytes = Self.stream
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = alphabet.randomElement(using: &random) ?? 0
            }
            let whole = try read([bytes[...]])
            let split = Int.random(in: bytes.indices, using: &random)
            #expect(try read([bytes[..<split], bytes[split...]]) == whole)
        }
    }

    @Test func `a reply that is kept outlives the reader, and what it is not is nil`() throws {
        var kept: RedisReply?
        do {
            let reader = try #require(ReplyReader(maxReplyBytes: 1024))
            try Array("*3\r\n$2\r\n17\r\n:5\r\n*1\r\n+x\r\n".utf8).withUnsafeBytes { bytes in
                try reader.read(bytes) { reply in
                    kept = reply.copied()
                    return true
                }
            }
        }
        let reply = try #require(kept)
        #expect(reply.count == 3)
        #expect(reply.string == nil)
        #expect(reply.integer == nil)
        #expect(reply.bytes == nil)
        #expect(reply[0].integer == 17)
        #expect(reply[0].bytes == Array("17".utf8))
        #expect(reply[1].integer == 5)
        #expect(reply[1].string == nil)
        #expect(reply[2][0].string == "x")
        #expect(reply[2][0].array == nil)
        #expect(reply[3].isNull)
        #expect(reply[-1].isNull)
        #expect(reply[1].withBytes { $0.count } == 0)
    }
}
