import GatewayCore
import NIOSSL

/// Sends one receiver's batches, each as one signed POST.
package final class WebhookSender: Sendable {
    private let caller: HookCaller
    private let timeout: Duration

    /// `authorities` are trusted beside the system's. `shutdown` must be called in the end.
    package init(
        to receiver: WebhookReceiver, configuration: WebhookConfiguration, authorities: [NIOSSLCertificate] = [],
        now: @escaping @Sendable () -> Int64, resolve: @escaping HookCaller.Resolver = HostLookup.addresses
    ) {
        timeout = configuration.timeout
        caller = HookCaller(
            HookCaller.Configuration(
                url: receiver.url, secrets: receiver.form == .native ? configuration.secrets : [],
                timeout: configuration.timeout,
                concurrency: configuration.concurrency,
                reach: configuration.allowsPrivate ? .anywhere : .publicAlone, authorities: authorities),
            now: now, resolve: resolve)
    }

    package func shutdown() async throws { try await caller.shutdown() }

    /// Taken is what was answered with 2xx; a redirect is not followed.
    ///
    /// - Parameters:
    ///   - fields: beside those that every request has.
    ///   - traceparent: the request's, where it belongs to a trace.
    package func send(
        _ body: [UInt8], fields: [(name: String, value: String)] = [], traceparent: String? = nil
    ) async -> LaneBoard.Answer {
        do {
            let fields = fields + (traceparent.map { [(name: "traceparent", value: $0)] } ?? [])
            let status = try await caller.post(body, fields: fields).status
            if (200..<300).contains(status) { return .taken }
            return .failed(reason: RequestFailure.reason(ofStatus: status))
        } catch {
            return .failed(reason: RequestFailure.reason(of: error, timeout: timeout))
        }
    }
}
