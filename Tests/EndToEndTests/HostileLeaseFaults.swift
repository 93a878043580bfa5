import MartletClient
import NIOCore
import TestKit
import Testing
import TestSupport

/// What clients have a node do must not keep it from saying that it lives.
@Suite("Nodes that are kept busy", .serialized)
struct HostileLeaseFaults {
    /// Who sends what costs most to read.
    enum Senders: CaseIterable, CustomTestStringConvertible {
        case strangers, members

        var testDescription: String { self == .strangers ? "from strangers" : "from members" }
    }

    @Test(arguments: Senders.allCases)
    func `a hundred sockets full of frames that inflate to thousands of keys delay nobody and move no lease`(
        from senders: Senders
    ) async throws {
        let isStrange = senders == .strangers
        let fleet = try await Fleet.start(
            2,
            environment: ["MARTLET_LOG_LEVEL": "info"].merging(
                isStrange ? ["MARTLET_AUTH_MODE": "jwt", "MARTLET_AUTH_SECRET": Attack.secret] : [:]
            ) { $1 })
        let (attacked, other) = (fleet.nodes[0], fleet.nodes[1])
        let honest = ["ann", "ben", "cid", "dan", "watcher"]
        let tokens = isStrange ? try Dictionary(uniqueKeysWithValues: honest.map { ($0, try token(of: $0)) }) : [:]
        let credentials = tokens.mapValues { token in MartletClient.Credentials.token { token } }
        let sockets = try await each(Array(0..<100)) { number in
            let socket = try await HostileSocket.open(
                port: attacked.clientPort, path: isStrange ? "/ws" : "/ws?userId=mallory-\(number)", deflating: true)
            if !isStrange { try await socket.text(with: #""type":"welcome""#) }
            return socket
        }
        let beside = try await Bystanders.begin(on: attacked, credentials, users: ["ann", "ben"], in: "plaza")
        let elsewhere = try await Bystanders.begin(on: other, credentials, users: ["cid", "dan"], in: "square")
        let watcher = try await WireClient.connect(
            to: other, as: "watcher", query: tokens["watcher"].map { "&token=\($0)" } ?? "")
        _ = try await watcher.ask(#""type":"watch","users":["ann","ben"]"#)
        try await watcher.join("plaza")
        let leases = LeaseWatch(fleet)

        let frames = HostileFrames.repeated(Attack.inflatingFrame, 112)
        for socket in sockets { socket.send(frames) }
        try await eventually("the end of the frames", within: .seconds(300)) {
            sockets.allSatisfy { !$0.isOpen || $0.textCount >= 112 }
        }
        // Whoever took the node for dead would have swept it by then.
        try await fleet.wait(.seconds(4))
        let leaseFaults = try await leases.end()
        #expect(leaseFaults == [])
        let alarms = fleet.nodes.flatMap { $0.log.split(separator: "\n") }.filter {
            $0.contains("A dead node is swept out") || $0.contains("new incarnation")
        }
        #expect(alarms == [])
        let gone = try await fleet.ledger().filter {
            honest.contains($0.user) && ["user.offline", "member.left"].contains($0.type)
        }
        #expect(gone == [])
        #expect(watcher.frames("status").allSatisfy { $0.bool("online") == true })

        let verdicts = [try await beside.end(), try await elsewhere.end()]
        for verdict in verdicts {
            #expect(verdict.faults == [])
            #expect(verdict.worstPing < .milliseconds(250) * verdict.slowness.factor * Bill.buildFactor)
        }
        print("worst pings \(verdicts.map(\.worstPing)), the shortest lease \(leases.least) ms")
    }

    private func token(of user: String) throws -> String {
        try TestToken.signed(#"{"sub":"\#(user)","exp":4102444800}"#, secret: Attack.secret)
    }
}
