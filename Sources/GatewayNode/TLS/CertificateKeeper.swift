import Foundation
import Logging
import Metrics
import NIOSSL
import Synchronization

/// Keeps a port's certificate as its files have it: what was changed serves those who connect from then on, living
/// connections go on with what they began with. A file that is broken changes nothing.
///
/// Any thread may ask for the context.
package final class CertificateKeeper: WatchedFile {
    /// What became of a look at the files.
    package enum Outcome: Hashable, Sendable {
        case unchanged, replaced
        case refused(String)
    }

    /// The port's key in the settings: `client.tls`.
    package let name: String
    private struct State {
        var files: TLSFiles
        var certificate: PortCertificate
    }

    private let state: Mutex<State>
    /// What was refused last, so that it is told once.
    private let lastRefusal = Mutex<String?>(nil)
    private let expiry: Gauge

    package init(
        _ files: TLSFiles, name: String, metrics: any MetricsFactory = NOOPMetricsHandler.instance
    ) throws(TLSProblem) {
        self.name = name
        let certificate = try PortCertificate(files)
        state = Mutex(State(files: files, certificate: certificate))
        expiry = Gauge(
            label: "martlet_certificate_expiry_timestamp_seconds", dimensions: [("port", name)], factory: metrics)
        expiry.record(certificate.validUntil)
    }

    package var context: NIOSSLContext { state.withLock { $0.certificate.context } }

    /// What a port asks for each connection.
    var provider: @Sendable () -> NIOSSLContext { { self.context } }

    /// Reads the files where they have changed; takes what is good, and good now.
    package func look(now: Int64 = Int64(Date().timeIntervalSince1970)) -> Outcome {
        let (files, last) = state.withLock { ($0.files, $0.certificate) }
        guard last.isStale(files) else { return .unchanged }
        do throws(TLSProblem) {
            take(try CertificateKeeper.certificate(in: files, now: now), of: files)
            return .replaced
        } catch {
            return .refused("\(name)\(error)")
        }
    }

    /// What is in these files, where that is good, and good now.
    static func certificate(
        in files: TLSFiles, now: Int64 = Int64(Date().timeIntervalSince1970)
    ) throws(TLSProblem) -> PortCertificate {
        let certificate = try PortCertificate(files)
        if let problem = certificate.problem(at: now) {
            throw TLSProblem(description: ".certificateFile \(problem)")
        }
        return certificate
    }

    /// From here on this one serves, and changes of its files are looked for.
    func take(_ certificate: PortCertificate, of files: TLSFiles) {
        state.withLock { $0 = State(files: files, certificate: certificate) }
        expiry.record(certificate.validUntil)
    }

    /// The same, told in the log.
    package func reload(logger: Logger) {
        switch look() {
        case .unchanged: lastRefusal.withLock { $0 = nil }
        case .replaced:
            lastRefusal.withLock { $0 = nil }
            let until = PortCertificate.show(state.withLock { $0.certificate.validUntil })
            logger.notice("certificate replaced", metadata: ["port": "\(name)", "validUntil": "\(until)"])
        case .refused(let reason):
            let isTold = lastRefusal.withLock { last in
                defer { last = reason }
                return last == reason
            }
            guard !isTold else { return }
            logger.error("certificate not replaced; the one of before serves", metadata: ["reason": "\(reason)"])
        }
    }
}
