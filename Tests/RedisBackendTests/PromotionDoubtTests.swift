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
        slave3:ip=10.0.0.5,port=6379,state=online,offset=42,lag=9\r
        slave_nonsense\r
        slave9:ip=10.0.0.6,port=6379,state=online,offset=42,lag=x\r
        master_failover_state:no-failover\r

        """

    @Test func `those follow that are online and have said so of late`() {
        #expect(PromotionDoubt.replicas(in: Self.info) == ["10.0.0.2:6379", "fe80::1:6380"])
        #expect(PromotionDoubt.replicas(in: "").isEmpty)
    }

    @Test func `one that has gone is in doubt until it follows again, or for a grace`() {
        var doubt = PromotionDoubt(length: 30_000)
        doubt.saw(["a", "b"], asked: 0)
        #expect(doubt.missing.isEmpty)
        doubt.saw(["b"], asked: 1000)
        #expect(doubt.missing == ["a"])
        doubt.saw(["a", "b"], asked: 2000)
        #expect(doubt.missing.isEmpty)
        doubt.saw([], asked: 3000)
        #expect(doubt.missing == ["a", "b"])
        doubt.saw(["a"], asked: 32_999)
        #expect(doubt.missing == ["b"])
        doubt.saw(["a"], asked: 33_000)
        #expect(doubt.missing.isEmpty)
    }

    @Test func `another server has other replicas, and one without any is beyond doubt`() {
        var doubt = PromotionDoubt(length: 30_000)
        doubt.saw(["a"], asked: 0)
        doubt.forget()
        doubt.saw([], asked: 1000)
        #expect(doubt.missing.isEmpty)
    }
}
