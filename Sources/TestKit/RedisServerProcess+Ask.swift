import Foundation

/// A server's answer to one command.
package enum RedisAnswer: Sendable, Equatable {
    case text(String)
    case number(Int)
    case error(String)
    case items([RedisAnswer])
    case nothing

    package var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    package var number: Int? {
        if case .number(let number) = self { number } else { nil }
    }

    /// Empty where it is no list.
    package var items: [RedisAnswer] {
        if case .items(let items) = self { items } else { [] }
    }
}

extension RedisServerProcess {
    /// One command over its unix socket, which a proxy before its port does not hold up; throws where it answers with an error.
    @discardableResult
    package func ask(_ command: String...) async throws -> RedisAnswer {
        let answer = try await ask([command])[0]
        if case .error(let text) = answer {
            throw Failure(description: "\(command.joined(separator: " ")): \(text)")
        }
        return answer
    }

    /// Commands that are sent at once; errors are among the answers. Throws where it does not answer within the limit.
    package func ask(_ commands: [[String]], within limit: Duration = .seconds(10)) async throws -> [RedisAnswer] {
        let (path, login) = (socketPath, password.map { [["AUTH", $0]] } ?? [])
        return try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                let answers = Result {
                    Array(try Question.ask(login + commands, at: path, within: limit)[login.count...])
                }
                continuation.resume(with: answers)
            }
        }
    }

    /// A connection for some commands, blocking.
    private struct Question: ~Copyable {
        private let descriptor: Int32
        private var bytes: [UInt8] = []
        private var position = 0

        static func ask(_ commands: [[String]], at path: String, within limit: Duration) throws -> [RedisAnswer] {
            guard let descriptor = UnixProbe.connection(to: path) else {
                throw Failure(description: "nobody listens at \(path)")
            }
            var question = Question(descriptor: descriptor)
            var time = timeval(tv_sec: Int(limit.components.seconds), tv_usec: 0)
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
            }
            try question.send(commands)
            return try commands.map { _ in try question.answer() }
        }

        private init(descriptor: Int32) {
            self.descriptor = descriptor
        }

        deinit {
            close(descriptor)
        }

        private func send(_ commands: [[String]]) throws {
            let text = commands.map { command in
                "*\(command.count)\r\n" + command.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
            }.joined()
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Failure(description: "a server took no command (\(errno))") }
                rest = rest.dropFirst(count)
            }
        }

        private mutating func answer() throws -> RedisAnswer {
            let line = try line()
            let rest = String(line.dropFirst())
            switch line.first {
            case "+": return .text(rest)
            case "-": return .error(rest)
            case ":": return .number(Int(rest) ?? 0)
            case "$":
                guard let count = Int(rest), count >= 0 else { return .nothing }
                return .text(try text(of: count))
            case "*":
                guard let count = Int(rest), count >= 0 else { return .nothing }
                return .items(try (0..<count).map { _ in try answer() })
            default: throw Failure(description: "no answer of a Redis: \(line)")
            }
        }

        private mutating func line() throws -> String {
            while true {
                if let end = bytes[position...].firstIndex(of: UInt8(ascii: "\r")), end + 1 < bytes.count {
                    defer { position = end + 2 }
                    return String(decoding: bytes[position..<end], as: UTF8.self)
                }
                try read()
            }
        }

        private mutating func text(of count: Int) throws -> String {
            while bytes.count < position + count + 2 { try read() }
            defer { position += count + 2 }
            return String(decoding: bytes[position..<position + count], as: UTF8.self)
        }

        private mutating func read() throws {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { throw Failure(description: "a server gave no answer (\(count == 0 ? 0 : errno))") }
            bytes += chunk[..<count]
        }
    }
}
