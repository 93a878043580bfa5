import Foundation
import Synchronization

/// The output of a child process, read by a thread of its own as it comes.
final class ProcessOutput: Sendable {
    private struct Waiter {
        let text: String
        let continuation: CheckedContinuation<String?, Never>
    }

    private struct State {
        var lines: [String] = []
        var hasEnded = false
        var waiters: [Waiter] = []
        var endWaiters: [CheckedContinuation<Void, Never>] = []
    }

    /// For the child; closed here once it has it.
    let writeEnd: Int32
    private let readEnd: Int32
    private let state = Mutex(State())

    init() throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw NodeProcess.Failure(description: "no pair of sockets")
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    var text: String { state.withLock { $0.lines.joined(separator: "\n") } }

    /// Starts to read; the child has the other end by now.
    func begin() {
        close(writeEnd)
        Thread.detachNewThread { self.readAll() }
    }

    /// The first line, printed already or to come, that holds the text; nil where the output ends without it.
    func line(with text: String) async -> String? {
        await withCheckedContinuation { continuation in
            let known: String?? = state.withLock { state in
                if let line = state.lines.first(where: { $0.contains(text) }) { return .some(line) }
                if state.hasEnded { return .some(nil) }
                state.waiters.append(Waiter(text: text, continuation: continuation))
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// The port that a line with this text names.
    func port(after text: String) async -> Int? {
        guard let line = await line(with: text), let range = line.range(of: "port=") else { return nil }
        return Int(line[range.upperBound...].prefix(while: \.isNumber))
    }

    /// Returns when the child has closed its output, which it does by ending.
    func ended() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.endWaiters.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    private func readAll() {
        var rest: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(readEnd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest += chunk[..<count]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                add(String(decoding: rest[..<end], as: UTF8.self))
                rest.removeSubrange(...end)
            }
        }
        close(readEnd)
        let (waiters, endWaiters) = state.withLock { state in
            state.hasEnded = true
            defer { (state.waiters, state.endWaiters) = ([], []) }
            return (state.waiters, state.endWaiters)
        }
        for waiter in waiters { waiter.continuation.resume(returning: nil) }
        for waiter in endWaiters { waiter.resume() }
    }

    private func add(_ line: String) {
        let matching = state.withLock { state in
            state.lines.append(line)
            let matching = state.waiters.filter { line.contains($0.text) }
            state.waiters.removeAll { line.contains($0.text) }
            return matching
        }
        for waiter in matching { waiter.continuation.resume(returning: line) }
    }
}
