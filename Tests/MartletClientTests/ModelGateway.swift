import Dialects
import GatewayCore
import MartletClient
import NIOCore
import Synchronization

/// A gateway with one room that keeps its word, whatever happens to its connections: a log, dedupe keys, one session.
///
/// Each connection is served by a task of its own until it is cut.
final class ModelGateway: Sendable {
    private struct Log {
        var messages: [RoomMessage] = []
        var keys: [String: Int] = [:]
        var members: [ObjectIdentifier: Peer] = [:]
        var hasSession = false
    }

    private let gateway: FakeGateway
    private let log = Mutex(Log())
    private let room = RoomName(unchecked: "r")

    var url: String { gateway.url }
    var payloads: [String] { log.withLock { $0.messages.map { String(decoding: $0.payload, as: UTF8.self) } } }

    private init(_ gateway: FakeGateway) {
        self.gateway = gateway
    }

    /// - Parameter body: what happens while it serves; connections are given to `cut` as they come.
    static func run<Answer: Sendable>(
        cut: @escaping @Sendable (Peer) async -> Void, _ body: (ModelGateway) async throws -> Answer
    ) async throws -> Answer {
        let model = ModelGateway(try await FakeGateway.start())
        let serving = Task {
            await withDiscardingTaskGroup { group in
                while let peer = try? await model.gateway.accept() {  // An error is the end of the test.
                    group.addTask { await model.serve(peer) }
                    group.addTask { await cut(peer) }
                }
            }
        }
        let answer = try await body(model)
        serving.cancel()
        await model.gateway.stop()
        return answer
    }

    /// Forgets the session, as after a long absence.
    func forget() { log.withLock { $0.hasSession = false } }

    private func serve(_ peer: Peer) async {
        guard let asked = try? await peer.handshake() else { return }  // Cut already.
        let isResumed = log.withLock { log in
            defer { log.hasSession = true }
            return log.hasSession && asked.contains("session=")
        }
        peer.greet(resumed: isResumed)
        while let request = try? await peer.request() { answer(request, from: peer) }  // The end is a cut.
        log.withLock { $0.members[ObjectIdentifier(peer)] = nil }
    }

    private func answer(_ request: ClientRequest, from peer: Peer) {
        log.withLock { log in
            switch request.command {
            case .join(room, let since):
                peer.send(
                    .joined(id: request.id, Joined(room: room, position: head(log), recovered: true, roster: nil)))
                replay(log, since?.seq ?? log.messages.count, to: peer)
                log.members[ObjectIdentifier(peer)] = peer
            case .resume(let since):
                let rooms = since.map { room, position in
                    ResumedRoom(
                        room: room,
                        outcome: .joined(
                            position: room == self.room ? head(log) : Position(epoch: "e", seq: position.seq),
                            recovered: true))
                }
                peer.send(.resumed(id: request.id, rooms: rooms))
                guard let position = since[room] else { break }
                replay(log, position.seq, to: peer)
                log.members[ObjectIdentifier(peer)] = peer
            case .message(let message):
                let position = store(message.payload, message.msgType, message.dedupe ?? "", in: &log)
                peer.send(.ack(id: request.id, room: room, published: Published(position: position, timestamp: 1)))
            default: peer.send(.error(id: request.id, error: RequestError(.badRequest, "not here")))
            }
        }
    }

    private func head(_ log: Log) -> Position { Position(epoch: "e", seq: log.messages.count) }

    private func replay(_ log: Log, _ seq: Int, to peer: Peer) {
        for message in log.messages.dropFirst(seq) { peer.send(.message(message)) }
    }

    private func store(_ payload: [UInt8], _ msgType: Int, _ key: String, in log: inout Log) -> Position {
        if let seq = log.keys[key] { return Position(epoch: "e", seq: seq) }
        let position = Position(epoch: "e", seq: log.messages.count + 1)
        let message = RoomMessage(
            room: room, userId: UserID(unchecked: "u"), msgType: msgType, payload: payload, timestamp: 1,
            position: position)
        log.messages.append(message)
        log.keys[key] = position.seq
        for member in log.members.values { member.send(.message(message)) }
        return position
    }
}
