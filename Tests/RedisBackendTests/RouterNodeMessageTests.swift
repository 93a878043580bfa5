import GatewayCore
import RedisBackend
import Testing

@Suite("What comes over a node's own channel")
struct RouterNodeMessageTests {
    private func decode(_ bytes: [UInt8]) -> NodeMessage? {
        bytes.withUnsafeBytes { NodeMessage($0) }
    }

    @Test func `a signal comes back as it was, whatever its names and payload hold`() throws {
        let names = ["a b", "ü 7 1", "x"]
        for payload in [[], Array("{\"a b\": 1}".utf8), [0, 32, 255, 10, 13]] {
            let signal = Signal(
                room: RoomName(unchecked: "r,1"), from: UserID(unchecked: names[0]), to: UserID(unchecked: names[1]),
                payload: payload)
            guard case .signal(let back) = decode(NodeMessage.encode(signal)) else {
                Issue.record("not a signal")
                return
            }
            #expect(back == signal)
        }
    }

    @Test func `a close names its connection, its code and its text`() {
        guard
            case .close(let connection, let reason, let text) = decode(
                NodeMessage.close("c 1", .forbidden, text: "bye 2 é"))
        else {
            Issue.record("not a close")
            return
        }
        #expect(connection == "c 1" && reason == .forbidden && text == "bye 2 é")
    }

    @Test func `a canary comes back with its number and whose it is`() {
        guard case .canary(number: 12, instance: "00ff") = decode(Array("c 00ff 12".utf8)) else {
            Issue.record("not a canary")
            return
        }
        for text in ["c 00ff", "c 00ff ", "c 00ff x", "c 00ff 1 2", "c  1x"] {
            #expect(decode(Array(text.utf8)) == nil)
        }
    }

    @Test func `a question for a connection, and its answer, come back as they were`() {
        let seek = NodeMessage.seek(
            number: 7, asker: "n 1", connection: "c 2", reason: .replaced, text: "gone 3 é")
        guard case .seek(let asked) = decode(seek) else {
            Issue.record("not a question")
            return
        }
        #expect(
            asked
                == NodeMessage.Seek(number: 7, asker: "n 1", connection: "c 2", reason: .replaced, text: "gone 3 é"))
        for end in seek.indices { #expect(decode(Array(seek[..<end])) == nil) }
        for isHere in [true, false] {
            guard case .found(let found) = decode(NodeMessage.found(isHere, number: 7, node: "n 1")) else {
                Issue.record("not an answer")
                return
            }
            #expect(found == NodeMessage.Found(number: 7, isHere: isHere, node: "n 1"))
        }
        for text in ["a 1 2 n", "a 1 1", "a 1 1 ", "a x 1 n"] { #expect(decode(Array(text.utf8)) == nil, "\(text)") }
    }

    @Test func `a user who is to be asked about again, and the count of it, come back as they were`() {
        guard
            case .review(let user, 7, "n 1") = decode(
                NodeMessage.askAgain(UserID(unchecked: "zoë 2"), number: 7, asker: "n 1"))
        else {
            Issue.record("not a question")
            return
        }
        #expect(user.string == "zoë 2")
        guard
            case .reviewed(count: 12, number: 7, node: "n 1") = decode(
                NodeMessage.askedAgain(count: 12, number: 7, node: "n 1"))
        else {
            Issue.record("not an answer")
            return
        }
        for text in ["f 7 3 n 1", "f 7 9 n 1a", "f x 1 na", "f 7 -1 na", "z 7 n", "z 7 -1 n", "z 7 1", "z 7 1 "] {
            #expect(decode(Array(text.utf8)) == nil, "\(text)")
        }
    }

    @Test func `what is cut short, of another kind or of an unknown code is refused, and nothing is read beyond it`() {
        let whole = [
            NodeMessage.close("conn", .replaced, text: "gone"), Array("i epoch 7 1700000000000 5 alice1 3 bobx".utf8),
            NodeMessage.encode(
                Signal(
                    room: RoomName(unchecked: "r"), from: UserID(unchecked: "a"), to: UserID(unchecked: "b"),
                    payload: []
                )),
        ]
        for bytes in whole {
            #expect(decode(bytes) != nil)
            for end in bytes.indices {
                // An inbox message's body goes to the end, whatever it is: the log's reader judges it.
                if bytes[0] == UInt8(ascii: "i"), end >= bytes.count - 8 { continue }
                #expect(decode(Array(bytes[..<end])) == nil)
            }
        }
        for text in ["", " ", "m e 1 1 1 5 alice", "x 9 1 0 c", "x 4403 9 0 c", "x -1 1 0 c", "i e 1 1 99 a", "ii e"] {
            #expect(decode(Array(text.utf8)) == nil)
        }
    }
}

extension NodeMessage {
    /// As the scripts publish it.
    static func close(_ connection: String, _ reason: CloseReason, text: String) -> [UInt8] {
        Array("x \(reason.code) \(connection.utf8.count) \(text.utf8.count) \(connection)\(text)".utf8)
    }

    /// As the scripts publish it.
    static func encode(_ signal: Signal) -> [UInt8] {
        let (room, from, to) = (signal.room.string, signal.from.string, signal.to.string)
        let lengths = "g \(room.utf8.count) \(from.utf8.count) \(to.utf8.count) "
        return Array("\(lengths)\(room)\(from)\(to)".utf8) + signal.payload
    }
}
