import Foundation
import MartletClient
import NIOCore
import NIOSSL
import Synchronization
import TestKit
import TestSupport

/// One node on a Redis of its own with honest clients beside whatever is done to it, and what that costs.
final class Arena: Sendable {
    /// What everybody speaks to the client port.
    enum Transport: String, CaseIterable, CustomStringConvertible {
        case plain, tls

        var description: String { rawValue }
    }

    let redis: RedisServerProcess
    let node: NodeProcess
    private let attack: Attack
    /// Of a node that speaks TLS.
    private let certificates: TestCertificates?
    /// Of attackers there, who trust everybody.
    private let trusting: NIOSSLContext?
    private let sockets = Mutex<[HostileSocket]>([])
    private let bill = Mutex(Bill())

    /// Starts a node, lets clients talk, plays the attack and answers what was paid for it.
    static func play(_ attack: Attack, over transport: Transport = .plain, scale: Int = 1) async throws -> Bill {
        let redis = try RedisServerProcess(attack.redis)
        var environment = ["MARTLET_LOG_LEVEL": "info"].merging(attack.environment) { $1 }
        if let secret = attack.secret {
            environment["MARTLET_AUTH_MODE"] = "jwt"
            environment["MARTLET_AUTH_SECRET"] = secret
        }
        let certificates = transport == .tls ? try TestCertificates() : nil
        if let files = try certificates?.files(for: "localhost") {
            environment["MARTLET_CLIENT_TLS_CERTIFICATE_FILE"] = files.certificate
            environment["MARTLET_CLIENT_TLS_KEY_FILE"] = files.key
        }
        let node = try await NodeProcess.start(nodeId: "n0", redisURL: redis.url, environment: environment)
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        let arena = try Arena(redis, node, attack, certificates)
        try await attack.play(arena, scale)
        return arena.bill.withLock { $0 }
    }

    private init(
        _ redis: RedisServerProcess, _ node: NodeProcess, _ attack: Attack, _ certificates: TestCertificates?
    ) throws {
        self.redis = redis
        self.node = node
        self.attack = attack
        self.certificates = certificates
        trusting = try certificates.map { _ in
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            return try NIOSSLContext(configuration: configuration)
        }
    }

    /// Plays the part of the attack that is to be paid for, with honest clients beside it.
    func pay(_ act: () async throws -> Void) async throws {
        var credentials: [String: MartletClient.Credentials] = [:]
        for user in Bystanders.users { credentials[user] = try self.credentials(of: user) }
        let bystanders = try await Bystanders.begin(
            on: node, credentials, tls: try certificates?.client(), mayBeRefused: attack.redisStandsStill)
        let before = try await use()
        let started = ContinuousClock.now
        try await act()
        let after = try await use()
        let verdict = try await bystanders.end()
        bill.withLock { bill in
            bill.duration = started.duration(to: .now)
            bill.handshakes += after.handshakes - before.handshakes
            bill.sentBytes += after.sent - before.sent
            bill.receivedBytes = after.received - before.received
            bill.ownProcessor = after.own.processor - before.own.processor
            bill.nodeProcessor = after.node.processor - before.node.processor
            bill.nodeBytes = max(after.node.residentBytes, verdict.peakBytes) - before.node.residentBytes
            bill.redisProcessor = after.redis.processor - before.redis.processor
            bill.redisBytes = after.redis.usedBytes - before.redis.usedBytes
            bill.worstPing = verdict.worstPing
            bill.slowness = verdict.slowness.factor
            bill.faults += verdict.faults
        }
    }

    private func use() async throws -> (
        own: ProcessUse, node: ProcessUse, redis: RedisUse, handshakes: Int, sent: Int, received: Int
    ) {
        let (count, sent, received) = sockets.withLock { sockets in
            sockets.reduce((0, 0, 0)) { ($0.0 + 1, $0.1 + $1.sentBytes, $0.2 + $1.receivedBytes) }
        }
        return (
            try ProcessUse(pid: getpid()), try ProcessUse(pid: node.pid), try await RedisUse(redis),
            trusting == nil ? 0 : count, sent, received
        )
    }

    private func credentials(of user: String) throws -> MartletClient.Credentials {
        guard attack.secret != nil else { return .user(user) }
        let token = try token(of: user)
        return .token { token }
    }

    /// What a user shows who has been given a token, where clients need one.
    ///
    /// - Parameter info: what others are shown of the user, as JSON.
    func token(of user: String, info: String = "{}") throws -> String {
        guard let secret = attack.secret else { throw NeverHappened(description: "a token without a secret") }
        let now = Int(Date().timeIntervalSince1970)
        return try TestToken.signed(
            #"{"sub":"\#(user)","iat":\#(now),"exp":\#(now + 3600),"info":\#(info)}"#, secret: secret)
    }

    // MARK: What attackers do

    /// A TCP connection to the client port and nothing more.
    func connect(host: String = "127.0.0.1", toAPI: Bool = false) async throws -> HostileSocket {
        let socket = try await HostileSocket.connect(
            host: host, port: toAPI ? node.apiPort : node.clientPort, tls: toAPI ? nil : trusting)
        sockets.withLock { $0.append(socket) }
        return socket
    }

    /// A socket after its handshake, whatever came of it.
    func open(
        _ query: String, headers: [(String, String)] = [], deflating: Bool = false
    ) async throws -> HostileSocket {
        let socket = try await HostileSocket.open(
            port: node.clientPort, path: "/ws" + query, headers: headers, deflating: deflating, tls: trusting)
        sockets.withLock { $0.append(socket) }
        return socket
    }

    /// A user who has been welcomed.
    func member(_ user: String, deflating: Bool = false) async throws -> HostileSocket {
        let socket = try await open("?userId=\(user)", deflating: deflating)
        try await socket.text(with: #""type":"welcome""#)
        return socket
    }

    /// A user in this room.
    func member(_ user: String, in room: String, deflating: Bool = false) async throws -> HostileSocket {
        let socket = try await member(user, deflating: deflating)
        socket.send(text: #"{"type":"join","roomId":"\#(room)"}"#)
        try await socket.text(with: #""type":"joined""#)
        return socket
    }

    /// Puts a member into rooms, as fast as the gateway lets it.
    func join(_ rooms: [String], by member: HostileSocket) async throws {
        for (id, room) in rooms.enumerated() {
            while true {
                let count = member.textCount
                member.send(text: #"{"type":"join","id":\#(id),"roomId":"\#(room)"}"#)
                try await eventually("an answer to a join") { member.textCount > count || !member.isOpen }
                let answer = try await member.text(with: #""id":\#(id),"#)
                if answer.contains(#""type":"joined""#) { break }
                try await wait(.milliseconds(100))
            }
        }
    }

    /// The session that a member was welcomed with.
    func session(of member: HostileSocket) async throws -> String {
        let welcome = try await member.text(with: #""type":"welcome""#)
        let fields = try JSONSerialization.jsonObject(with: Data(welcome.utf8)) as? [String: Any]
        guard let session = fields?["session"] as? String else {
            throw NeverHappened(description: "a welcome without a session: \(welcome)")
        }
        return session
    }

    // MARK: What honest people see

    /// Somebody new comes and joins a room; that it does not work, or takes too long, goes on the bill.
    func admit(_ user: String, within limit: Duration = .seconds(4)) async throws {
        let start = ContinuousClock.now
        do {
            let credentials = try credentials(of: user)
            let tls = try certificates?.client()
            let person = try await Participant.connect(to: tls == nil ? node.clientURL : node.securedURL, as: user) {
                $0.credentials = credentials
                $0.tls = tls ?? $0.tls
                $0.requestTimeout = .seconds(5)
                $0.connectTimeout = .seconds(5)
            }
            try await person.join("foyer")
            await person.close()
            let time = start.duration(to: .now)
            let text = "\(user) is let in after \(Int(time / .milliseconds(1))) ms"
            if time > limit { note(text) } else { remark(text) }
        } catch {
            note("\(user) is not let in: \(error)")
        }
    }

    /// Puts something on the bill that should not be.
    func note(_ fault: String) { bill.withLock { $0.faults.append(fault) } }

    /// Says on the bill what the attacker has come to, good or bad.
    func remark(_ text: String) { bill.withLock { $0.remarks.append(text) } }

    /// Bytes that the attacker has sent by other ways than a socket of the arena's.
    func sent(_ bytes: Int) { bill.withLock { $0.sentBytes += bytes } }

    /// Time in which the attack goes on by itself.
    func wait(_ time: Duration) async throws { try await ContinuousClock().sleep(for: time) }
}

/// What was paid for an attack, by whom.
struct Bill: Sendable {
    var duration = Duration.zero
    /// Of TLS, by the attacker.
    var handshakes = 0
    /// By the attacker, on the wire.
    var sentBytes = 0
    /// By the gateway, to the attacker's sockets.
    var receivedBytes = 0
    /// Of the process that plays both the attacker and the honest clients.
    var ownProcessor = Duration.zero
    var nodeProcessor = Duration.zero
    /// By how much the node grew, at its largest.
    var nodeBytes = 0
    var redisProcessor = Duration.zero
    var redisBytes = 0
    /// Of the honest clients.
    var worstPing = Duration.zero
    /// By how much the machine was slower than one that has time: 1 is not at all.
    var slowness = 1.0
    /// What was wrong with an honest client's stream, or came to the attacker that should not have.
    var faults: [String] = []
    /// What else was seen.
    var remarks: [String] = []

    /// What a ping may take at most while somebody else attacks, on this machine.
    var pingLimit: Duration { .milliseconds(250) * slowness }
}

/// Something that is done to a gateway to bring it down.
struct Attack: Sendable {
    let name: String
    var environment: [String: String] = [:]
    /// With one, clients need tokens.
    var secret: String?
    var redis = RedisServerProcess.Options()
    /// Whether Redis is stopped for a while, so that honest messages may be refused.
    var redisStandsStill = false
    /// What is played: 1 is the size for a test.
    let play: @Sendable (Arena, _ scale: Int) async throws -> Void
}
