import Foundation
import MartletClient
import NIOCore
import Synchronization
import TestKit

/// One node on a Redis of its own with honest clients beside whatever is done to it, and what that costs.
final class Arena: Sendable {
    let redis: RedisServerProcess
    let node: NodeProcess
    private let attack: Attack
    private let sockets = Mutex<[HostileSocket]>([])
    private let bill = Mutex(Bill())

    /// Starts a node, lets clients talk, plays the attack and answers what was paid for it.
    static func play(_ attack: Attack, scale: Int = 1) async throws -> Bill {
        let redis = try RedisServerProcess(attack.redis)
        var environment = ["MARTLET_LOG_LEVEL": "info"].merging(attack.environment) { $1 }
        if let secret = attack.secret {
            environment["MARTLET_AUTH_MODE"] = "jwt"
            environment["MARTLET_AUTH_SECRET"] = secret
        }
        let node = try await NodeProcess.start(nodeId: "n0", redisURL: redis.url, environment: environment)
        try await eventually("the node's readiness") { try await node.request("GET", "/readyz").status == 200 }
        let arena = Arena(redis, node, attack)
        try await attack.play(arena, scale)
        return arena.bill.withLock { $0 }
    }

    private init(_ redis: RedisServerProcess, _ node: NodeProcess, _ attack: Attack) {
        self.redis = redis
        self.node = node
        self.attack = attack
    }

    /// Plays the part of the attack that is to be paid for, with honest clients beside it.
    func pay(_ act: () async throws -> Void) async throws {
        var credentials: [String: MartletClient.Credentials] = [:]
        for user in Bystanders.users { credentials[user] = try await self.credentials(of: user) }
        let bystanders = try await Bystanders.begin(
            on: node, credentials, mayBeRefused: attack.redisStandsStill)
        let before = try await use()
        let started = ContinuousClock.now
        try await act()
        let after = try await use()
        let verdict = try await bystanders.end()
        bill.withLock { bill in
            bill.duration = started.duration(to: .now)
            bill.sentBytes += after.sent - before.sent
            bill.receivedBytes = after.received - before.received
            bill.ownProcessor = after.own.processor - before.own.processor
            bill.nodeProcessor = after.node.processor - before.node.processor
            bill.nodeBytes = max(after.node.residentBytes, verdict.peakBytes) - before.node.residentBytes
            bill.redisProcessor = after.redis.processor - before.redis.processor
            bill.redisBytes = after.redis.usedBytes - before.redis.usedBytes
            bill.worstPing = verdict.worstPing
            bill.slowness = verdict.slowness
            bill.faults += verdict.faults
        }
    }

    private func use() async throws -> (
        own: ProcessUse, node: ProcessUse, redis: RedisUse, sent: Int, received: Int
    ) {
        let (sent, received) = sockets.withLock { sockets in
            sockets.reduce((0, 0)) { ($0.0 + $1.sentBytes, $0.1 + $1.receivedBytes) }
        }
        return (
            try ProcessUse(pid: getpid()), try ProcessUse(pid: node.pid), try await RedisUse(redis), sent, received
        )
    }

    private func credentials(of user: String) async throws -> MartletClient.Credentials {
        guard let secret = attack.secret else { return .user(user) }
        let signed = try await NodeProcess.run(
            ["token", "--user", user], environment: ["MARTLET_AUTH_SECRET": secret])
        guard signed.status == 0, let token = signed.output.split(whereSeparator: \.isNewline).last.map(String.init)
        else { throw NeverHappened(description: "no token: \(signed.output)") }
        return .token { token }
    }

    // MARK: What attackers do

    /// A TCP connection to the client port and nothing more.
    func connect(toAPI: Bool = false) async throws -> HostileSocket {
        let socket = try await HostileSocket.connect(port: toAPI ? node.apiPort : node.clientPort)
        sockets.withLock { $0.append(socket) }
        return socket
    }

    /// A socket after its handshake, whatever came of it.
    func open(
        _ query: String, headers: [(String, String)] = [], deflating: Bool = false
    ) async throws -> HostileSocket {
        let socket = try await HostileSocket.open(
            port: node.clientPort, path: "/ws" + query, headers: headers, deflating: deflating)
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

    /// Somebody new comes and joins a room; that it does not work goes on the bill.
    func admit(_ user: String) async throws {
        let start = ContinuousClock.now
        do {
            let credentials = try await credentials(of: user)
            let person = try await Participant.connect(to: node.clientURL, as: user) {
                $0.credentials = credentials
                $0.requestTimeout = .seconds(5)
                $0.connectTimeout = .seconds(5)
            }
            try await person.join("foyer")
            await person.close()
            let time = start.duration(to: .now)
            if time > .seconds(4) { note("\(user) is let in after \(time)") }
        } catch {
            note("\(user) is not let in: \(error)")
        }
    }

    /// Puts something on the bill that should not be.
    func note(_ fault: String) { bill.withLock { $0.faults.append(fault) } }

    /// Bytes that the attacker has sent by other ways than a socket of the arena's.
    func sent(_ bytes: Int) { bill.withLock { $0.sentBytes += bytes } }

    /// Time in which the attack goes on by itself.
    func wait(_ time: Duration) async throws { try await ContinuousClock().sleep(for: time) }
}

/// What was paid for an attack, by whom.
struct Bill: Sendable {
    var duration = Duration.zero
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
    /// What was wrong with an honest client's stream.
    var faults: [String] = []

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
