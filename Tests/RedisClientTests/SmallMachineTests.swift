import NIOCore
import RedisClient
import Testing

@Suite struct SubscriptionSetTests {
    @Test func `what is wanted before the connection is subscribed on it`() {
        var channels = SubscriptionSet()
        #expect(channels.subscribe("a") == .wait)
        #expect(channels.subscribe("b") == .wait)
        #expect(channels.unsubscribe("b") == false)
        #expect(channels.connected() == ["a"])
        #expect(channels.answered("a") == true)
        #expect(channels.subscribe("a") == .confirmed)
    }

    @Test func `only the answer to the latest wish counts`() {
        var channels = SubscriptionSet()
        _ = channels.connected()
        #expect(channels.subscribe("a") == .send)
        #expect(channels.unsubscribe("a") == true)
        #expect(channels.unsubscribe("a") == false)
        #expect(channels.subscribe("a") == .send)
        #expect(channels.subscribe("a") == .wait)
        #expect(channels.answered("a") == false)
        #expect(channels.answered("a") == false)
        #expect(channels.answered("a") == true)
        #expect(channels.answered("a") == nil)
        #expect(channels.answered("never asked") == nil)
    }

    @Test func `a break forgets what is no longer wanted and subscribes the rest anew`() {
        var channels = SubscriptionSet()
        _ = channels.connected()
        for name in ["a", "b"] { #expect(channels.subscribe(name) == .send) }
        #expect(channels.unsubscribe("a") == true)
        channels.disconnected()
        #expect(channels.subscribe("c") == .wait)
        #expect(channels.connected().sorted() == ["b", "c"])
    }
}

@Suite struct BackoffTests {
    @Test func `pauses are drawn from zero to ceilings that double up to the limit`() {
        var backoff = Backoff(limit: .milliseconds(300))
        let pauses = (0..<5).map { _ in backoff.next(fraction: 1) }
        #expect(pauses == [50, 100, 200, 300, 300].map { .milliseconds($0) })
        #expect(backoff.next(fraction: 0) == .zero)
        #expect(backoff.next(fraction: 0.5) == .milliseconds(150))
        backoff.reset()
        #expect(backoff.next(fraction: 1) == .milliseconds(50))
    }
}

@Suite struct CommandEncoderTests {
    private func encoded(_ arguments: [RedisArgument], isRetry: Bool = false, number: Int64 = 0) -> String {
        var buffer = ByteBuffer()
        CommandEncoder(server: "r1", clientID: 17).write(
            arguments, isRetry: isRetry, number: number, into: &buffer)
        return String(buffer: buffer).replacing("\r\n", with: "|")
    }

    @Test func `arguments of all kinds become bulk strings`() {
        #expect(encoded(["SET", .bytes([0x61, 0x62]), 0, -17]) == "*4|$3|SET|$2|ab|$1|0|$3|-17|")
        #expect(encoded([.integer(.min), .string("")]) == "*2|$20|-9223372036854775808|$0||")
        #expect(encoded([.string("é"), .integer(.max)]) == "*2|$2|é|$19|9223372036854775807|")
    }

    @Test func `placeholders take the connection, its server's run and whether it is a retry`() {
        #expect(encoded([.server, .attempt]) == "*2|$2|r1|$1|0|")
        #expect(encoded([.server, .attempt], isRetry: true) == "*2|$2|r1|$1|1|")
        #expect(encoded([.connection]) == "*1|$2|17|")
        #expect(encoded([.numbered("link")], number: 205) == "*1|$7|link205|")
    }
}

@Suite struct RedisScriptTests {
    // From FIPS 180's examples and the digests that Redis gives.
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
        (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ("return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
    ])
    func `the digest is the SHA-1 of the source`(source: String, digest: String) {
        #expect(RedisScript(name: "test", source: source).digest == digest)
    }
}
