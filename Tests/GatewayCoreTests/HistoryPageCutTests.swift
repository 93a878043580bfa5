import GatewayCore
import Testing

@Suite
struct HistoryPageCutTests {
    private let room = RoomName(unchecked: "r")

    /// Of a page of messages with so many bytes of payload.
    private static func bytes(_ sizes: Int...) -> Int {
        sizes.reduce(0) { $0 + $1 + "r".utf8.count + 2 * UserID.system.string.utf8.count + 128 }
    }

    private func page(_ sizes: [Int], more: Bool = false) -> HistoryPage {
        let messages = sizes.enumerated().map { index, size in
            RoomMessage(
                room: room, userId: .system, msgType: 1, payload: Array(repeating: 0x31, count: size), timestamp: 0,
                position: Position(epoch: "e", seq: index + 1))
        }
        return HistoryPage(room: room, head: Position(epoch: "e", seq: sizes.count), messages: messages, more: more)
    }

    @Test func `a page that fits stays as it is`() {
        let cut = page([10, 10]).cut(toBytes: Self.bytes(10, 10), readFrom: .newest)
        #expect(cut.messages.map(\.seq) == [1, 2])
        #expect(!cut.more)
    }

    @Test func `read backwards, the newest messages stay`() {
        for edge in [HistoryRange.Edge.newest, .before(9)] {
            let cut = page([10, 10, 10]).cut(toBytes: Self.bytes(10, 15), readFrom: edge)
            #expect(cut.messages.map(\.seq) == [2, 3])
            #expect(cut.more)
        }
    }

    @Test func `read forwards, the oldest stay`() {
        let cut = page([10, 10, 10]).cut(toBytes: Self.bytes(10, 15), readFrom: .after(0))
        #expect(cut.messages.map(\.seq) == [1, 2])
        #expect(cut.more)
    }

    @Test func `one message comes however large it is, so that a reader gets on`() {
        #expect(page([100, 10]).cut(toBytes: 5, readFrom: .after(0)).messages.map(\.seq) == [1])
        #expect(page([]).cut(toBytes: 5, readFrom: .newest).messages.isEmpty)
    }
}
