extension MartletClient {
    /// Shows the connection a fresh token a minute before the present one ends, until the task is cancelled.
    ///
    /// One that comes too late, or is refused, costs the connection (4401) and is asked for again with the next.
    func keepTokenFresh() async {
        guard case .token(let provide) = configuration.credentials else { return }
        while let delay = await refreshDelay() {
            do {
                try await Task.sleep(for: delay)
                guard let token = try await provide() else { return }
                try await authenticate(token)
            } catch {
                if Task.isCancelled { return }
                // Tried again after half of the time that is left.
                if let (code, text) = MartletClient.words(error) {
                    _ = readers.append(.error(code: code, message: text))
                }
            }
        }
    }

    /// Nil where it was the connection's end that failed it.
    private static func words(_ error: any Error) -> (code: String, text: String)? {
        switch error as? Failure {
        case .refused(let code, let message, _): (code, message)
        case .disconnected, .notConnected, .closed, .stopped: nil
        case .timedOut, .tooManyPending, .invalid, .cancelled, nil: ("unavailable", "no fresh token: \(error)")
        }
    }

    /// Waits for the welcome; nil where the token does not end, or too soon.
    private func refreshDelay() async -> Duration? {
        await wake.wait(until: { state.withLock { $0.welcome != nil } })
        let (token, welcome, since) = state.withLock { ($0.token, $0.welcome, $0.welcomedAt) }
        guard !Task.isCancelled, let welcome, let since, let end = token.flatMap(TokenExpiry.milliseconds) else {
            return nil
        }
        // The gateway's clock, not this machine's, since that is the one that refuses.
        let (left, overflow) = end.subtractingReportingOverflow(welcome.timestamp)
        return overflow ? nil : TokenExpiry.delay(left: .milliseconds(left) - since.duration(to: .now))
    }
}
