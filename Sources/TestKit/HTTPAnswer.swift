import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// The answer to one HTTP request on a connection of its own.
package struct HTTPAnswer: Sendable {
    package let status: Int
    package let head: String
    package let body: String

    /// The body as JSON; nil where it is none.
    package var json: [String: Any]? {
        try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]  // Nil says it.
    }

    /// Asks 127.0.0.1 and reads until the server closes; over TLS of one that is called localhost.
    package static func fetch(
        port: Int, method: String = "GET", path: String, body: String? = nil, headers: [(String, String)] = [],
        tls: TLSConfiguration? = nil
    ) async throws -> HTTPAnswer {
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        var request = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        for (name, value) in headers { request += "\(name): \(value)\r\n" }
        if let body { request += "Content-Length: \(body.utf8.count)\r\n" }
        request += "\r\n" + (body ?? "")
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: "localhost"))
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let text = request
        let answer = try await channel.executeThenClose { inbound, outbound in
            // Who is refused at the accept may have the answer, and the end, before it has asked.
            try? await outbound.write(ByteBuffer(string: text))
            var answer = ByteBuffer()
            for try await var part in inbound { answer.writeBuffer(&part) }
            return String(buffer: answer)
        }
        guard let end = answer.range(of: "\r\n\r\n"), let status = Int(answer.dropFirst(9).prefix(3)) else {
            throw NodeProcess.Failure(description: "no HTTP answer: \(answer.prefix(200))")
        }
        return HTTPAnswer(
            status: status, head: String(answer[..<end.lowerBound]), body: String(answer[end.upperBound...]))
    }
}
