import RedisClient
import Testing

/// The examples are those of `CLUSTER KEYSLOT` and of the Redis Cluster Specification, "Hash tags"; the numbers are what
/// Redis 7.0.15 answers.
@Suite("The slot of a key")
struct KeySlotTests {
    @Test(
        arguments: [
            ("somekey", 11058),
            ("foo{hash_tag}", 2515),
            ("bar{hash_tag}", 2515),
            ("{user1000}.following", 3443),
            ("{user1000}.followers", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
            ("foo{bar", 15278),
            ("", 0),
            ("{}", 15257),
            ("123456789", 12739),
            ("é{ü}", 9552),
        ] as [(String, UInt16)])
    func `a key has the slot that CLUSTER KEYSLOT names`(key: String, slot: UInt16) {
        #expect(KeySlot(of: key).number == slot)
    }

    @Test func `what stands between the first brace and the next closing one decides alone`() {
        #expect(KeySlot(of: "{user1000}.following") == KeySlot(of: "{user1000}.followers"))
        #expect(KeySlot(of: "{user1000}.following") == KeySlot(ofTag: "user1000"))
        #expect(KeySlot(of: "foo{{bar}}zap") == KeySlot(ofTag: "{bar"))
        #expect(KeySlot(of: "foo{bar}{zap}") == KeySlot(ofTag: "bar"))
        #expect(KeySlot(of: "}foo{bar}") == KeySlot(ofTag: "bar"))
    }

    @Test(arguments: ["foo{}{bar}", "foo{bar", "foo}bar", "{}", "{", "}", "", "foo}{bar", "{}foo{bar}"])
    func `a key whose first braces hold nothing, or do not close, counts as a whole`(key: String) {
        #expect(KeySlot(of: key) == KeySlot(ofTag: key))
    }

    @Test func `a key of bytes that are no text has a slot as well`() {
        let bytes: [UInt8] = [0xFF, UInt8(ascii: "{"), 0x00, 0xFE, UInt8(ascii: "}"), 0x80]
        let slot = bytes.withUnsafeBytes { KeySlot(of: $0) }
        let tag: [UInt8] = [0x00, 0xFE]
        #expect(slot == tag.withUnsafeBytes { KeySlot(of: $0) })
        #expect(KeySlot.first < slot && slot.number < UInt16(KeySlot.count))
    }
}
