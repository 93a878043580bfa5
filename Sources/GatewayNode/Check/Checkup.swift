import Foundation
import GatewayCore
import Glibc
import NIOCore
import NIOPosix
import RedisClient
import SocketServer

/// Reads a configuration and tries everything in it, beside a node that may run on it; it changes nothing, but for one
/// message to a channel that nobody hears.
package struct Checkup: Sendable {
    let settings: Settings
    /// What clients connect to; nil: certificates are not held to a name.
    private let name: String?

    package init(_ settings: Settings, name: String?) {
        self.settings = settings
        self.name = name
    }

    /// Everything that was seen, in a fixed order; takes some seconds.
    package func findings() async -> [Finding] {
        var findings = [
            await port("client port", settings.client.host, settings.client.port, "client"),
            await port("api port", settings.api.host, settings.api.port, "api"),
        ]
        findings += certificate(settings.clientTLS, "client.tls", name: name)
        findings += certificate(settings.apiTLS, "api.tls", name: nil)
        findings.append(tokens())
        findings += guests()
        findings += await keySets()
        findings += await hook()
        findings += [descriptors(), backlog()]
        findings += await redis()
        findings += await Checkup.archive(settings)
        return findings
    }

    // MARK: This machine

    private func port(_ subject: String, _ host: String, _ port: Int, _ key: String) async -> Finding {
        let place = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        guard port != 0 else { return .ok(subject, "any free one") }
        do throws(PortTrial.Problem) {
            let channel = try await PortTrial.bind(
                host: host, port: port, on: MultiThreadedEventLoopGroup.singleton)
            // One that is closed already is as good.
            try? await channel.close()
            return .ok(subject, "\(place) is free")
        } catch {
            switch error {
            case .taken:
                return .warning(
                    subject, "\(place) is taken",
                    "by a node that runs already, or by something else: then move \(key).port")
            case .host(let reason):
                return .error(subject, "\(place) cannot be had: \(reason)", "correct \(key).host")
            case .port(let reason):
                return .error(subject, "\(place) cannot be had: \(reason)", "correct \(key).port")
            case .other(let reason):
                return .error(subject, "\(place) cannot be had: \(reason)", "correct \(key).host or \(key).port")
            }
        }
    }

    private func certificate(_ files: TLSFiles, _ key: String, name: String?) -> [Finding] {
        guard files.isSecure else { return [.ok(key, "plain")] }
        do throws(TLSProblem) {
            let certificate = try PortCertificate(files)
            var findings = [dates(of: certificate, key)]
            if let name {
                let isFor = certificate.isFor(name)
                findings.append(
                    isFor
                        ? .ok("\(key) name", "its certificate is for \(name)")
                        : .error("\(key) name", "its certificate is not for \(name)", "have one made for that name"))
            }
            return findings
        } catch {
            return [.error(key, "\(key)\(error)", "correct the file or its name")]
        }
    }

    private func dates(of certificate: PortCertificate, _ key: String) -> Finding {
        let now = Int64(Date().timeIntervalSince1970)
        if let problem = certificate.problem(at: now) {
            return .error(key, "its certificate \(problem)", "renew it; the node takes it up by itself")
        }
        let until = PortCertificate.show(certificate.validUntil)
        guard certificate.validUntil - now > 14 * 86_400 else {
            return .warning(key, "its certificate ends on \(until)", "renew it; the node takes it up by itself")
        }
        return .ok(key, "its certificate is good until \(until)")
    }

    private func tokens() -> Finding {
        switch settings.auth.mode {
        case .jwt: .ok("auth.mode", "jwt")
        case .hook: .ok("auth.mode", "hook")
        case .none:
            .warning("auth.mode", "none: any client is whoever it says it is", "set jwt before others can connect")
        }
    }

    private func guests() -> [Finding] {
        guard settings.client.takesGuests else { return [] }
        guard settings.rooms.openToGuests else {
            return [
                .warning(
                    "auth.guests", "true, and no rule of rooms allows guests anything",
                    "say allowGuests: [join] where they may come, or switch auth.guests off")
            ]
        }
        return [.ok("auth.guests", "true")]
    }

    private func keySets() async -> [Finding] {
        guard settings.auth.mode == .jwt else { return [] }
        let isOne = settings.auth.issuers.isEmpty
        let fetcher: KeyFetcher
        do {
            fetcher = KeyFetcher(
                authorities: try settings.tokenAuthorities(), group: MultiThreadedEventLoopGroup.singleton)
        } catch {
            return [.error("auth.caFile", "cannot be read: \(error)", "correct the file or its name")]
        }
        var findings: [Finding] = []
        for (index, issuer) in (isOne ? [settings.auth.common] : settings.auth.issuers).enumerated() {
            guard let url = issuer.jwks, issuer.isRemote else { continue }
            let subject = isOne ? "auth.jwks" : "auth.issuers[\(index)].jwks"
            do throws(KeyProblem) {
                let keys = try await fetcher.keys(at: url)
                let fit = !keys.algorithms.isDisjoint(with: issuer.believed)
                findings.append(
                    fit
                        ? .ok(subject, "\(keys.count) keys")
                        : .error(
                            subject, "holds no key for auth.algorithms", "leave auth.algorithms out, or correct it"))
            } catch {
                findings.append(.error(subject, "\(error)", "correct the URL, or let this machine reach it"))
            }
        }
        // A client that has answered ends without a fault.
        try? await fetcher.shutdown()
        return findings
    }

    private func descriptors() -> Finding {
        let limit = FileDescriptorLimit.raise().now
        let wanted = max(settings.client.maxConnections + 500, 10_000)
        guard limit >= wanted else {
            return .warning(
                "descriptor limit", "\(limit), of which 500 are the node's own and the api port's",
                "raise it to \(wanted) or more (LimitNOFILE, ulimit -n), one for each connection")
        }
        return .ok("descriptor limit", "\(limit)")
    }

    private func backlog() -> Finding {
        // Where the kernel does not say, there is nothing to compare with.
        let text = try? String(contentsOfFile: "/proc/sys/net/core/somaxconn", encoding: .utf8)
        guard let backlog = text.flatMap({ Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) else {
            return .ok("kernel backlog", "unknown")
        }
        guard backlog >= 4096 else {
            return .warning(
                "kernel backlog", "\(backlog) connections may wait to be accepted",
                "raise net.core.somaxconn to 4096, for when thousands come back at once")
        }
        return .ok("kernel backlog", "\(backlog)")
    }

    // MARK: Redis

    private func redis() async -> [Finding] {
        guard let url = settings.redisURL else {
            return [
                .warning(
                    "redis", "a private one, which keeps nothing and serves this node alone", "set redis.url for more")
            ]
        }
        let configuration: RedisConfiguration
        do throws(RedisURLError) {
            configuration = try RedisConfiguration(url: url)
        } catch {
            return [.error("redis", "redis.url cannot be used: \(error)", "correct it")]
        }
        return await RedisCheckup(configuration, prefix: settings.backend.prefix).findings()
    }
}
