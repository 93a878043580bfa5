import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import ServerTrust

/// The reason why a request had no answer, in an operator's words, with what there is to do about it.
package enum RequestFailure {
    /// Holds nothing of the URL or the body.
    ///
    /// - Parameter settings: what the settings of the receiver begin with.
    package static func reason(of error: any Error, timeout: Duration, settings: String = "webhooks") -> String {
        switch error {
        case let refusal as AddressGuard.Refusal:
            return refusal.description
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            return "the receiver did not answer within \(timeout)"
        case let error as HTTPClientError where error == .connectTimeout:
            return "the receiver could not be reached in time"
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            return "the receiver closed the connection without an answer"
        case is HostLookup.UnknownName:
            return unresolved(settings)
        case let error as NIOConnectionError:
            return error.connectionErrors.first.map { reason(of: $0.error, timeout: timeout, settings: settings) }
                ?? unresolved(settings)
        case let error as IOError:
            return "the receiver could not be reached: \(String(cString: strerror(error.errnoCode)))"
        case is CancellationError:
            return "this node ends"
        default:
            guard let refusal = TLSRefusal(error) else { return "the request failed: \(error)" }
            return "TLS with the receiver failed: \(remedy(for: refusal, settings))"
        }
    }

    /// Whether no connection came about, or none that can be trusted; one that is slow to answer was reached.
    static func isUnreached(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError:
            return error == .connectTimeout || error == .getConnectionFromPoolTimeout || error == .tlsHandshakeTimeout
        case let error as IOError:
            return [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT].contains(error.errnoCode)
        case NIOSSLError.handshakeFailed, is NIOConnectionError, is BoringSSLError, is NIOSSLExtraError: return true
        default: return false
        }
    }

    package static func reason(ofStatus status: UInt) -> String {
        "the receiver answered \(status)\((300..<400).contains(status) ? ", and redirects are not followed" : "")"
    }

    private static func unresolved(_ settings: String) -> String {
        "the receiver's name does not resolve: correct \(settings).url, or what this node's name server says"
    }

    private static func remedy(for refusal: TLSRefusal, _ settings: String) -> String {
        switch refusal {
        case .otherName:
            """
            \(refusal): put one of the certificate's names into \(settings).url, or give the receiver a certificate for \
            this one
            """
        case .untrusted: "\(refusal): renew it, or name its authority's file in \(settings).caFile"
        case .outdated: "\(refusal): have it speak TLS 1.2 or 1.3"
        case .plain: "\(refusal): correct \(settings).url, or have it speak TLS"
        case .wantsCertificate: "\(refusal), which the node does not"
        case .other(let text): text
        }
    }
}
