import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension HTTPClient {
    /// What a request came to within its time.
    package struct TimedAnswer: Sendable {
        package let status: HTTPResponseStatus
        /// A failure where it did not come to its end in time, or is too long.
        package let body: Result<ByteBuffer, any Error>
    }

    /// Asks and reads, both within one time: `execute(_:timeout:)` watches the way to the answer's head alone, so that a body
    /// of a byte now and then would never end.
    ///
    /// A short answer is read to its end, so that the connection can be used again; any other ends it.
    ///
    /// - Throws: where there was no head in time.
    package func ask(
        _ request: HTTPClientRequest, within time: Duration, upTo maxBytes: Int
    ) async throws -> TimedAnswer {
        let end = ContinuousClock.now + time
        let response = try await execute(request, timeout: TimeAmount(time))
        let body = await withTaskGroup(of: Result<ByteBuffer, any Error>.self) { group in
            group.addTask {
                do {
                    return .success(try await response.body.collect(upTo: maxBytes))
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                // Ends early where the body is there.
                try? await ContinuousClock().sleep(until: end)
                return .failure(HTTPClientError.deadlineExceeded)
            }
            defer { group.cancelAll() }
            return await group.next() ?? .failure(HTTPClientError.deadlineExceeded)
        }
        return TimedAnswer(status: response.status, body: body)
    }
}
