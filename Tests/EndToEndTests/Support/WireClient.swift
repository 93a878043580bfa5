import Foundation
import MartletClient
import NIOCore
import NIOPosix
import Synchronization
import TestKit
import TestSupport

/// A client that speaks the protocol as text and writes down every frame, with nothing in between that mends or hides.
final class WireClient: Sendable {
    let user: String
    private let connection: WebSocketConnection
    private let notes: Notes
    private let lastID = Mutex(0)
    /// It runs as long as a client of it is held: a test's own hold may end with its last use.
    private let node: NodeProcess?

    /// Connects and waits for `welcome`.
    static func connect(to node: NodeProcess, as user: String, query: String = "") async throws -> WireClient {
        let client = try await open(to: node.clientPort, as: user, query: query, node: node)
        try await client.frame("welcome")
        return client
    }

    /// The same without waiting, to any port that leads to a node.
    static func open(
        to port: Int, as user: String, query: String = "", node: NodeProcess? = nil
    ) async throws -> WireClient {
        try await open(to: port, at: "/ws?userId=\(user)\(query)", as: user, node: node)
    }

    /// One that shows nothing, past its `welcome`.
    static func guest(to node: NodeProcess) async throws -> WireClient {
        let client = try await open(to: node.clientPort, at: "/ws", as: "a guest", node: node)
        try await client.frame("welcome")
        return client
    }

    private static func open(
        to port: Int, at path: String, as user: String, node: NodeProcess?
    ) async throws -> WireClient {
        let notes = Notes()
        let connection = try await WebSocketConnection.connect(
            WebSocketConfiguration(host: "127.0.0.1", port: port, path: path),
            on: MultiThreadedEventLoopGroup.singleton
        ) { _, event in notes.take(event) }
        return WireClient(user: user, connection: connection, notes: notes, node: node)
    }

    private init(user: String, connection: WebSocketConnection, notes: Notes, node: NodeProcess?) {
        self.user = user
        self.node = node
        self.connection = connection
        self.notes = notes
    }

    deinit { connection.drop() }

    // MARK: What came

    var frames: [Frame] { notes.frames }
    var isOpen: Bool { notes.end == nil }
    var closeCode: UInt16? { notes.end?.code }

    func frames(_ type: String) -> [Frame] { frames.filter { $0.type == type } }

    /// The first frame of this type that fits, come or to come.
    @discardableResult
    func frame(
        _ type: String, where fits: @escaping @Sendable (Frame) -> Bool = { _ in true }
    ) async throws -> Frame {
        try await first("\(user)'s \(type)") { $0.type == type && fits($0) }
    }

    /// Returns when the gateway has closed it, or the connection is gone.
    func ended() async -> WebSocketEnd { await connection.ended() }

    // MARK: What it does

    func send(_ text: String) { connection.send(text: text) }

    /// Sends a request with a mark of its own and waits for the reply to it, an error included.
    func ask(_ fields: String) async throws -> Frame {
        let id = lastID.withLock { last in
            last += 1
            return last
        }
        send(#"{"id":\#(id),\#(fields)}"#)
        return try await first("\(user)'s reply to \(fields)") { $0.int("id") == id }
    }

    @discardableResult
    func join(_ room: String) async throws -> Frame { try await ask(#""type":"join","roomId":"\#(room)""#) }

    func close(_ code: UInt16 = 1000) { connection.close(code: code) }
    func abort() { connection.abort() }
    func stopReading() { connection.pauseReading() }
    func readAgain() { connection.resumeReading() }

    private func first(_ what: String, where fits: @escaping @Sendable (Frame) -> Bool) async throws -> Frame {
        try await eventually(what) { self.frames.contains(where: fits) || !self.isOpen }
        guard let frame = frames.first(where: fits) else {
            throw NeverHappened(description: "\(what) did not come before the end: \(String(describing: notes.end))")
        }
        return frame
    }
}

/// One frame, as text, with its fields at hand.
struct Frame: Sendable, CustomStringConvertible {
    let text: String

    var description: String { text }
    var fields: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:]  // No object has no fields.
    }
    var type: String { string("type") ?? "" }
    var room: String { string("roomId") ?? "" }

    func string(_ name: String) -> String? { fields[name] as? String }
    func int(_ name: String) -> Int? { fields[name] as? Int }
    func bool(_ name: String) -> Bool? { fields[name] as? Bool }
    func list(_ name: String) -> [[String: Any]] { fields[name] as? [[String: Any]] ?? [] }

    /// Of a `presence` frame: `join alice`, `leave bob`, in order.
    var steps: [String] {
        list("events").map { "\($0["event"] as? String ?? "?") \($0["userId"] as? String ?? "?")" }
    }
}

/// What a connection's loop writes and a test reads.
private final class Notes: Sendable {
    private let state = Mutex((frames: [Frame](), end: WebSocketEnd?.none))

    var frames: [Frame] { state.withLock { $0.frames } }
    var end: WebSocketEnd? { state.withLock { $0.end } }

    func take(_ event: WebSocketEvent) {
        state.withLock { state in
            switch event {
            case .text(let bytes): state.frames.append(Frame(text: String(buffer: bytes)))
            case .ended(let end): state.end = end
            case .binary, .ping, .pong: break
            }
        }
    }
}
