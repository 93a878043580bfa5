import NIOCore
import RedisClient
import TestKit
import Testing

@Suite(.timeLimit(.minutes(2))) struct RedisCommandLinkFaults {
    @Test func `what lost its replies goes again once, in order, before anything new`() async throws {
        let server = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: server.socketPath))
        try await withLink(RedisConfiguration(port: proxy.port)) { link, states in
            _ = try await link.send(["DEL", "list"], timeout: .seconds(60))
            let answers = Recorder<Answer>()
            try await proxy.treat(.toClient, .hold)
            for number in 1...50 {
                link.send(["RPUSH", "list", .string("\(number)"), .attempt], as: number, to: answers)
            }
            // All 50 have run, and none of their replies has come.
            while try await server.cli("LLEN", "list") != "100" {}
            try await proxy.treat(.toClient, .pass, isForNewOnly: true)
            try await proxy.cutAll()
            for number in 51...60 {
                link.send(["RPUSH", "list", .string("\(number)"), .attempt], as: number, to: answers)
            }
            try await answers.until { $0.count == 60 }
            #expect(answers.all.map(\.number) == Array(1...60))
            let pairs = try await link.send(["LRANGE", "list", 0, -1]).strings
            let first = (1...50).flatMap { ["\($0)", "0"] }
            let again = (1...50).flatMap { ["\($0)", "1"] }
            let fresh = (51...60).flatMap { ["\($0)"] }
            #expect(Array(pairs.prefix(200)) == first + again)
            #expect(stride(from: 200, to: pairs.count, by: 2).map { pairs[$0] } == fresh)
            #expect(try await server.cli("INFO", "commandstats").contains("cmdstat_client|kill:calls=1"))
            #expect(states.all.filter(\.isConnected).count == 2)
        }
        try await proxy.stop()
    }

    @Test func `a command keeps its number when it is sent again, and those behind it have greater ones`() async throws
    {
        let server = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: server.socketPath))
        try await withLink(RedisConfiguration(port: proxy.port)) { link, _ in
            _ = try await link.send(["DEL", "list"], timeout: .seconds(60))
            let answers = Recorder<Answer>()
            try await proxy.treat(.toClient, .hold)
            for number in 1...3 { link.send(["RPUSH", "list", .numbered("")], as: number, to: answers) }
            while try await server.cli("LLEN", "list") != "3" {}
            try await proxy.treat(.toClient, .pass, isForNewOnly: true)
            try await proxy.cutAll()
            link.send(["RPUSH", "list", .numbered("")], as: 4, to: answers)
            try await answers.until { $0.count == 4 }
            let numbers = try await link.send(["LRANGE", "list", 0, -1]).strings.compactMap(Int.init)
            #expect(Array(numbers.prefix(3)) == Array(numbers.dropFirst(3).prefix(3)))
            #expect(Set(numbers).sorted() == Array(numbers.dropFirst(3)) && numbers.count == 7)
        }
        try await proxy.stop()
    }

    @Test func `bytes of a dead link never run after those of the new one`() async throws {
        let server = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: server.socketPath))
        try await withLink(RedisConfiguration(port: proxy.port)) { link, states in
            _ = try await link.send(["DEL", "list"], timeout: .seconds(60))
            let before = try await proxy.counts().bytesFromClients
            try await proxy.treat(.toServer, .hold)
            let answers = Recorder<Answer>()
            for number in 1...5 {
                link.send(["RPUSH", "list", .integer(Int64(number))], as: number, to: answers)
            }
            try await proxy.waitUntil { $0.bytesFromClients > before + 100 }
            // The client loses its connection; the server does not, and those bytes are still on their way to it.
            try await proxy.treat(.toServer, .pass, isForNewOnly: true)
            try await proxy.abandonClients()
            try await answers.until { $0.count == 5 }
            link.send(["RPUSH", "list", "6"], as: 6, to: answers)
            try await proxy.treat(.toServer, .pass)
            try await answers.until { $0.count == 6 }
            let list = try await link.send(["LRANGE", "list", 0, -1]).strings
            #expect(list == ["1", "2", "3", "4", "5", "6"])
            #expect(states.all.filter(\.isConnected).count == 2)
        }
        try await proxy.stop()
    }

    @Test func `a link that comes back to a server ends what it left there two servers ago`() async throws {
        let servers = [try RedisServerProcess(), try RedisServerProcess()]
        let proxy = try await FaultProxy.start(target: .unix(path: servers[0].socketPath))
        try await withLink(RedisConfiguration(port: proxy.port)) { link, states in
            _ = try await link.send(["DEL", "list"], timeout: .seconds(60))
            let before = try await proxy.counts().bytesFromClients
            try await proxy.treat(.toServer, .hold)
            let answers = Recorder<Answer>()
            link.send(["RPUSH", "list", "old"], as: 1, to: answers)
            try await proxy.waitUntil { $0.bytesFromClients > before }
            // The first server still has that connection, with what is on its way to it; the other takes over.
            for server in [servers[1], servers[0]] {
                try await proxy.redirect(to: .unix(path: server.socketPath))
                try await proxy.treat(.toServer, .pass, isForNewOnly: true)
                let count = states.all.filter(\.isConnected).count
                try await proxy.abandonClients()
                try await states.until { $0.filter(\.isConnected).count > count }
                _ = try await link.send(["RPUSH", "list", "new"], timeout: .seconds(60))
            }
            try await proxy.treat(.toServer, .pass)
            // What a living connection had still to bring would have been read by now.
            for _ in 0..<20 { _ = try await servers[0].cli("PING") }
            #expect(try await servers[0].cli("LRANGE", "list", "0", "-1") == "new")
            #expect(try await servers[1].cli("LRANGE", "list", "0", "-1") == "old\nnew")
            #expect(states.all.filter(\.isConnected).count == 3)
        }
        try await proxy.stop()
    }

    @Test func `a reply that never comes is one timeout, and the command is not sent again`() async throws {
        let server = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: server.socketPath))
        var configuration = RedisConfiguration(port: proxy.port)
        configuration.commandTimeout = .seconds(1)
        configuration.connectTimeout = .seconds(1)
        try await withLink(configuration) { link, states in
            _ = try await link.send(["DEL", "list"], timeout: .seconds(60))
            try await proxy.treat(.toServer, .drop)
            let answers = Recorder<Answer>()
            link.send(["RPUSH", "list", "lost"], as: 1, to: answers)
            try await answers.until { !$0.isEmpty }
            #expect(answers.all == [Answer(number: 1, result: .failure(.timeout))])
            try await states.until { $0.contains(where: \.isDisconnected) }
            try await proxy.treat(.toServer, .pass)
            try await states.until { $0.filter(\.isConnected).count >= 2 }
            #expect(try await link.send(["RPUSH", "list", "new"], timeout: .seconds(60)).integer == 1)
            #expect(answers.all.count == 1)
        }
        try await proxy.stop()
    }

    @Test func `a late reply is matched with its own command`() async throws {
        let server = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: server.socketPath))
        try await withLink(RedisConfiguration(port: proxy.port)) { link, states in
            _ = try await link.send(["PING"], timeout: .seconds(60))
            try await proxy.treat(.toClient, .hold)
            await #expect(throws: RedisError.timeout) {
                try await link.send(["ECHO", "late"], timeout: .milliseconds(100))
            }
            try await proxy.treat(.toClient, .pass)
            #expect(try await link.send(["ECHO", "next"]).string == "next")
            #expect(states.all.count == 1)
        }
        try await proxy.stop()
    }

    @Test func `a paused Redis is a deadline, then the link recovers`() async throws {
        let server = try RedisServerProcess()
        var configuration = RedisConfiguration(socket: server.socketPath)
        configuration.commandTimeout = .seconds(1)
        configuration.connectTimeout = .seconds(1)
        try await withLink(configuration) { link, states in
            _ = try await link.send(["PING"], timeout: .seconds(60))
            server.pause()
            await #expect(throws: RedisError.timeout) { try await link.send(["INCR", "k"]) }
            try await states.until { $0.contains(where: \.isDisconnected) }
            #expect(!link.isConnected)
            server.resume()
            try await states.until { $0.filter(\.isConnected).count >= 2 }
            #expect(try await link.send(["PING"], timeout: .seconds(60)).string == "PONG")
        }
    }

    @Test func `an idle link that has died without a word is found by its ping`() async throws {
        let server = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: server.socketPath))
        var configuration = RedisConfiguration(port: proxy.port)
        configuration.pingInterval = .milliseconds(100)
        configuration.pingTimeout = .milliseconds(300)
        try await withLink(configuration) { link, states in
            _ = try await link.send(["PING"], timeout: .seconds(60))
            try await proxy.treat(.toServer, .drop)
            try await states.until { $0.contains(where: \.isDisconnected) }
            try await proxy.treat(.toServer, .pass)
            try await states.until { $0.filter(\.isConnected).count >= 2 }
        }
        try await proxy.stop()
    }

    @Test func `a killed Redis comes back as another run with its data, and commands wait for it`() async throws {
        var options = RedisServerProcess.Options()
        options.appendOnly = true
        let server = try RedisServerProcess(options)
        var configuration = RedisConfiguration(socket: server.socketPath)
        configuration.failFastAfter = .seconds(30)
        configuration.commandTimeout = .seconds(30)
        try await withLink(configuration) { link, states in
            _ = try await link.send(["RPUSH", "list", .server])
            server.kill9()
            try await states.until { $0.contains(where: \.isDisconnected) }
            async let waiting = link.send(["RPUSH", "list", .server])
            try server.restart(keepingData: true)
            #expect(try await waiting.integer == 2)
            let list = try await link.send(["LRANGE", "list", 0, -1]).strings
            // A server that is still reading its file greets and then breaks the link: it may be met more than once.
            let connections = states.all.filter(\.isConnected)
            let servers = connections.compactMap(\.server)
            let first = try #require(servers.first)
            let again = try #require(servers.firstIndex { $0 != first })
            #expect(list == [first.token, servers[again].token])
            #expect(servers[again...].allSatisfy { $0 == servers[again] } && servers[again].runID != first.runID)
            guard case .connected(_, _, let previous) = connections[again] else {
                Issue.record("told as \(states.all)")
                return
            }
            #expect(previous == first)
        }
    }

    @Test func `while Redis stays away commands fail at once with a clear error`() async throws {
        let server = try RedisServerProcess()
        var configuration = RedisConfiguration(socket: server.socketPath)
        configuration.failFastAfter = .milliseconds(50)
        try await withLink(configuration) { link, states in
            _ = try await link.send(["PING"], timeout: .seconds(60))
            server.kill9()
            try await states.until { $0.contains(where: \.isDisconnected) }
            // The first ones wait for their own deadline; once the link has been down for 50 ms none does.
            var failure: RedisError?
            while failure == nil {
                do {
                    _ = try await link.send(["PING"], timeout: .milliseconds(10))
                } catch {
                    failure = error as? RedisError
                }
            }
            let began = ContinuousClock.now
            await #expect(throws: RedisError.unavailable("the link is down")) {
                for _ in 0..<100 { _ = try? await link.send(["PING"], timeout: .milliseconds(10)) }
                return try await link.send(["PING"], timeout: .seconds(60))
            }
            #expect(ContinuousClock.now - began < .seconds(30))
        }
    }

    @Test func `a busy Redis is waited for`() async throws {
        var options = RedisServerProcess.Options()
        options.arguments = ["--busy-reply-threshold", "50"]
        let server = try RedisServerProcess(options)
        var configuration = RedisConfiguration(socket: server.socketPath)
        configuration.commandTimeout = .seconds(30)
        configuration.failFastAfter = .seconds(30)
        try await withLink(configuration) { link, states in
            _ = try await link.send(["PING"], timeout: .seconds(60))
            async let endless = server.cli("EVAL", "while true do end", "0")
            let answers = Recorder<Answer>()
            link.send(["ECHO", "before"], as: 0, to: answers)
            while !states.all.contains(where: \.isDisconnected) {
                link.send(["ECHO", "through"], as: 1, to: answers)
                _ = try await server.cli("ECHO", "x")
            }
            _ = try await server.cli("SCRIPT", "KILL")
            try await states.until { $0.filter(\.isConnected).count >= 2 }
            #expect(try await link.send(["ECHO", "after"]).string == "after")
            #expect(answers.all.allSatisfy { (try? $0.result.get()) != nil })
            _ = try? await endless
        }
    }

    @Test func `a replica is left for the primary that it becomes`() async throws {
        let server = try RedisServerProcess()
        var configuration = RedisConfiguration(socket: server.socketPath)
        configuration.commandTimeout = .seconds(30)
        configuration.failFastAfter = .seconds(30)
        try await withLink(configuration) { link, states in
            _ = try await link.send(["PING"], timeout: .seconds(60))
            _ = try await server.cli("REPLICAOF", "127.0.0.1", "1")
            async let written = link.send(["SET", "k", "v"])
            try await states.until { $0.contains(.disconnected(reason: "READONLY")) }
            _ = try await server.cli("REPLICAOF", "NO", "ONE")
            #expect(try await written.string == "OK")
        }
    }

    @Test(arguments: ["garbage\r\n", "$x\r\n", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n", "*3\r\n", "-ERR go away\r\n", ""])
    func `a peer that is no Redis is an error to the caller and harms nothing`(greeting: String) async throws {
        let peer = try await ScriptedPeer.start(connections: [[greeting]])
        var configuration = RedisConfiguration(port: peer.port)
        configuration.connectTimeout = .milliseconds(200)
        try await withLink(configuration) { link, states in
            await #expect(throws: RedisError.unavailable("the link is down")) {
                try await link.send(["PING"], timeout: .milliseconds(500))
            }
            #expect(states.all.filter(\.isConnected).isEmpty)
        }
        try await peer.stop()
    }

    @Test(arguments: [
        "garbage\r\n", "+PONG\r\n+PONG\r\n", "*9999999\r\n*9999999\r\n", "$12\r\nshort\r\nlong text here",
    ])
    func `a violation in the middle breaks the link, and the command goes again on the next`(
        violation: String
    ) async throws {
        let role = "role:master\nmaster_replid:d"
        let info = "$16\r\nrun_id:abcdefghi\r\n$\(role.utf8.count)\r\n\(role)\r\n"
        let peer = try await ScriptedPeer.start(connections: [
            [info, ":7\r\n", violation], [info, ":1\r\n", ":8\r\n", "+PONG\r\n"],
        ])
        try await withLink(RedisConfiguration(port: peer.port)) { link, states in
            try await states.until { $0.contains(where: \.isConnected) }
            let answers = Recorder<Answer>()
            link.send(["PING"], as: 1, to: answers)
            try await states.until { $0.filter(\.isConnected).count >= 2 }
            try await answers.until { !$0.isEmpty }
            #expect(answers.all.count == 1)
        }
        try await peer.stop()
    }
}
