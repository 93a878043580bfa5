import GatewayCore
import SocketServer
import Testing

/// How much of what one connection missed is held at a time.
@Suite
struct CatchUpSharesTests {
    private let shares = CatchUpShares(queuedBytes: 1 << 20, isOverdrawn: false)

    @Test func `a quarter of the queue is sent at a time and half of it held, less where the node holds too much`() {
        #expect(shares.partBytes == 1 << 18)
        #expect(shares.maxMissedBytes == 1 << 19)
        let overdrawn = CatchUpShares(queuedBytes: 1 << 20, isOverdrawn: true)
        #expect(overdrawn.partBytes == 1 << 16)
        #expect(overdrawn.maxMissedBytes == 1 << 17)
    }

    @Test func `listeners share what is left, eight of them at most at a time`() {
        #expect(shares.share(heldBytes: 0, among: 1).bytes == 1 << 19)
        #expect(shares.share(heldBytes: 0, among: 4).bytes == 1 << 17)
        #expect(shares.share(heldBytes: 0, among: 1000).bytes == 1 << 16)
        #expect(shares.share(heldBytes: 1 << 18, among: 2).bytes == 1 << 17)
        #expect(shares.firstShare(heldBytes: 0).bytes == 1 << 16, "others may come")
    }

    @Test func `what would not be worth it is not asked for`() {
        let crumb = shares.maxMissedBytes / 64
        #expect(shares.share(heldBytes: shares.maxMissedBytes - crumb, among: 1).bytes == crumb)
        #expect(shares.share(heldBytes: shares.maxMissedBytes - crumb + 1, among: 1).isNone)
        #expect(shares.nextShare(heldBytes: shares.maxMissedBytes, among: 1, needsRoom: false) == nil)
    }

    @Test
    func `a listener that asks alone gets one message at least, however large, and one that needs that waits for it`() {
        #expect(shares.nextShare(heldBytes: 0, among: 2, needsRoom: true)?.atLeastOne == true)
        #expect(shares.nextShare(heldBytes: 1, among: 2, needsRoom: false)?.atLeastOne == false)
        #expect(shares.nextShare(heldBytes: 1, among: 2, needsRoom: true) == nil)
    }
}
