import Foundation
import GatewayCore
import MartletClient
import Testing

/// The model of an app that the pages show.
@MainActor @Suite struct ChatModelTests: ClientSuite {
    @Test func `the page shows what is compiled here`() throws {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let page = try String(
            contentsOf: here.appending(path: "../../Sources/MartletClient/MartletClient.docc/SwiftAppModel.md"),
            encoding: .utf8)
        let model = try String(contentsOf: here.appending(path: "ChatModel.swift"), encoding: .utf8)
        #expect(page.contains("```swift\n\(model)```\n"))
    }

    @Test func `it shows the log, what comes, who is there, and loads anew after a loss`() async throws {
        let gateway = try await FakeGateway.start()
        let model = try ChatModel(client: try client(gateway), room: "r")
        let running = Task { await model.run() }
        let peer = try await gateway.accept()
        try await peer.welcome()
        try await peer.acceptJoin(of: "r", at: 2)
        var answered: Set<String> = []
        func answer(_ lines: [Int]) async throws {
            let request = try await peer.request()
            switch request.command {
            case .history(let room, _):
                let messages = lines.map { seq in
                    RoomMessage(
                        room: room, userId: UserID(unchecked: "v"), msgType: 1,
                        payload: Array(#"{"text":"\#(seq)"}"#.utf8), timestamp: 5,
                        position: Position(epoch: "e", seq: seq))
                }
                peer.send(
                    .history(
                        id: request.id,
                        page: HistoryPage(
                            room: room, head: Position(epoch: "e", seq: 2), messages: messages, more: false)))
                answered.insert("history")
            case .members(let room, _, _):
                let member = Member(userId: UserID(unchecked: "v"), info: Array("{}".utf8), connections: 1)
                peer.send(
                    .members(
                        id: request.id, room: room,
                        page: MemberPage(members: [member], count: 1, rosterVersion: 9, next: nil)))
                answered.insert("members")
            default: throw Ended()
            }
        }
        while answered.count < 2 { try await answer([1, 2]) }
        peer.message(#"{"text":"3"}"#, seq: 3)
        while model.lines.count < 3 || model.members.isEmpty { await Task.yield() }
        #expect(model.lines.map(\.line.text) == ["1", "2", "3"])
        #expect(model.members == ["v"] && model.isConnected)
        peer.send(.gap(room: RoomName(unchecked: "r"), position: Position(epoch: "e2", seq: 8)))
        try await answer([7, 8])
        while model.lines.count > 2 { await Task.yield() }
        #expect(model.lines.map(\.line.text) == ["7", "8"])
        running.cancel()
        await running.value
        await gateway.stop()
    }
}
