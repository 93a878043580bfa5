import RedisBackend
import Testing

@Suite("Whether a replica may have been promoted")
struct PromotionDoubtTests {
    private static let info = """
        # Replication\r
        role:master\r
        connected_slaves:4\r
        slave0:ip=10.0.0.2,port=6379,state=online,offset=42,lag=1\r
        slave1:ip=fe80::1,port=6380,state=online,offset=42,lag=0,io-thread=0\r
        slave2:ip=10.0.0.4,port=6379,state=wait_bgsave,offset=0,lag=0\r
        slave3:ip=10.0.0.2,port=6379,state=online,offset=42,lag=9\r
        slave_nonsense\r
        slave9:ip=10.0.0.6,port=6379,state=online,offset=42,lag=x\r
        master_failover_state:no-failover\r
        repl_backlog_active:1\r

        """

    private static func doubt() -> PromotionDoubt { PromotionDoubt(length: 30_000, comingBack: 4000) }

    /// Each follows, and has said so just now or so many seconds ago.
    private static func seen(_ lags: [String: [Int]], hasFollowed: Bool = true) -> ReplicasSeen {
        var seen = ReplicasSeen(info: "")
        (seen.lags, seen.hasFollowed) = (lags, hasFollowed)
        return seen
    }

    @Test func `what a primary says of its replicas`() {
        let seen = ReplicasSeen(info: Self.info)
        #expect(seen.lags == ["10.0.0.2:6379": [1, 9], "fe80::1:6380": [0]])
        #expect(seen.hasFollowed)
        #expect(ReplicasSeen(info: "").lags.isEmpty && !ReplicasSeen(info: "").hasFollowed)
    }

    @Test func `one that has gone is in doubt for a grace`() {
        var doubt = Self.doubt()
        doubt.saw(Self.seen(["a": [0], "b": [1]]), asked: 0)
        #expect(doubt.isNone)
        doubt.saw(Self.seen(["b": [0]]), asked: 1000)
        #expect(doubt.missing == ["a"] && !doubt.isNone)
        doubt.saw(Self.seen([:]), asked: 2000)
        #expect(doubt.missing == ["a", "b"])
        doubt.saw(Self.seen([:]), asked: 31_000)
        #expect(doubt.missing == ["b"])
        doubt.saw(Self.seen([:]), asked: 32_000)
        #expect(doubt.isNone)
    }

    @Test func `one that follows again is in doubt until the nodes can be back, and no longer for coming and going`() {
        var doubt = Self.doubt()
        doubt.saw(Self.seen(["a": [0]]), asked: 0)
        doubt.saw(Self.seen([:]), asked: 1000)
        doubt.saw(Self.seen(["a": [0]]), asked: 9000)
        doubt.saw(Self.seen(["a": [0]]), asked: 12_999)
        #expect(doubt.missing == ["a"])
        doubt.saw(Self.seen(["a": [0]]), asked: 13_000)
        #expect(doubt.isNone)
        // Coming and going does not draw it out.
        for moment in stride(from: Int64(14_000), to: 44_000, by: 1000) {
            doubt.saw(Self.seen(moment % 2000 == 0 ? [:] : ["a": [0]]), asked: moment)
            #expect(!doubt.isNone, "\(moment)")
        }
        doubt.saw(Self.seen(["a": [0]]), asked: 44_000)
        #expect(doubt.isNone)
    }

    @Test func `one that is late is not sure, and one that always is counts for nothing`() {
        var doubt = Self.doubt()
        doubt.saw(Self.seen(["a": [0]]), asked: 0)
        doubt.saw(Self.seen(["a": [2]]), asked: 1000)
        #expect(doubt.missing.isEmpty && !doubt.isNone)
        doubt.saw(Self.seen(["a": [0]]), asked: 1500)
        #expect(doubt.isNone)
        doubt.saw(Self.seen(["a": [3]]), asked: 2000)
        doubt.saw(Self.seen(["a": [3]]), asked: 32_000)
        #expect(doubt.isNone)
        doubt.saw(Self.seen(["a": [4]]), asked: 33_000)
        #expect(doubt.missing == ["a"])
    }

    @Test func `of two that share an address one may go`() {
        var doubt = Self.doubt()
        doubt.saw(Self.seen(["a": [0, 1]]), asked: 0)
        doubt.saw(Self.seen(["a": [0]]), asked: 1000)
        #expect(doubt.missing == ["a"])
    }

    @Test func `a node that starts behind a loss does not know when it was`() {
        var doubt = Self.doubt()
        doubt.saw(Self.seen([:]), asked: 0)
        #expect(doubt.missing == [""])
        doubt.saw(Self.seen([:]), asked: 30_000)
        #expect(doubt.isNone)
        // Where none ever followed nobody can have been promoted.
        var alone = Self.doubt()
        alone.saw(Self.seen([:], hasFollowed: false), asked: 0)
        #expect(alone.isNone)
    }

    @Test func `another server has other replicas`() {
        var doubt = Self.doubt()
        doubt.saw(Self.seen(["a": [0]]), asked: 0)
        doubt.saw(Self.seen([:]), asked: 500)
        doubt.forget()
        // That it had followed the former, or was followed itself, is no loss of its own.
        doubt.saw(Self.seen([:]), asked: 1000)
        #expect(doubt.isNone)
        doubt.saw(Self.seen(["b": [0]]), asked: 1500)
        #expect(doubt.isNone)
    }
}
