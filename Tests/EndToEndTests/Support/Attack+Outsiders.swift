import NIOCore
import TestKit
import TestSupport

/// What is tried by those who have no business here: pages of other sites, users who were sent away, the curious.
extension Attack {
    /// Requests as a browser makes them for a page of any site, whose name has been made to mean this machine.
    static let foreignPages = Attack(name: "a page of another site asks a node on loopback") { arena, scale in
        func asked(host: String) async throws -> Int {
            let socket = try await arena.connect(toAPI: true)
            let key = "Authorization: Bearer \(NodeProcess.apiKey)"
            socket.send(ByteBuffer(string: "GET /v1/stats HTTP/1.1\r\nHost: \(host)\r\n\(key)\r\n\r\n"))
            try await eventually("an answer") { socket.status != nil || !socket.isOpen }
            socket.close()
            return socket.status ?? 0
        }
        func opened(_ headers: [(String, String)]) async throws -> Int {
            let socket = try await arena.open("?userId=victim", headers: headers)
            socket.close()
            return socket.status ?? 0
        }
        func check(_ status: Int, _ wanted: Int, _ what: String) {
            if status != wanted { arena.note("\(what) is answered \(status)") }
        }
        try await arena.pay {
            for _ in 0..<(50 * scale) {
                check(try await asked(host: "evil.example"), 421, "REST under a foreign name")
                check(try await opened([("Host", "evil.example")]), 421, "a socket under a foreign name")
                check(try await opened([("Origin", "https://evil.example")]), 403, "a socket for a foreign page")
            }
        }
        check(try await asked(host: "localhost:1"), 200, "REST under the name localhost")
        check(try await opened([("Origin", "http://localhost:3000")]), 101, "a page of this machine")
        check(try await opened([]), 101, "a client that is no page")
    }

    /// Handshakes with the good token of a user whom the backend has sent away.
    static let bannedTokens = Attack(name: "a user who was sent away comes again and again", secret: secret) {
        arena, scale in
        let token = try arena.token(of: "mallory")
        let mallory = try await arena.open("?token=\(token)")
        try await mallory.text(with: #""type":"welcome""#)
        let answer = try await arena.node.request(
            "POST", "/v1/users/mallory/disconnect", body: #"{"code":4403,"banSeconds":600}"#)
        if answer.status != 200 || answer.json?["bannedUntil"] == nil { arena.note("there are no bans") }
        try await eventually("the end of the connection") { !mallory.isServed }
        try await arena.pay {
            let codes = try await each(Array(0..<100 * scale)) { _ in
                let socket = try await arena.open("?token=\(token)")
                try await eventually("a welcome or a refusal") { socket.textCount > 0 || !socket.isServed }
                defer { socket.close() }
                return socket.closeCode
            }
            let refused = codes.count { $0 == 4403 }
            if refused < codes.count { arena.note("\(codes.count - refused) of \(codes.count) came in again") }
        }
    }

    /// Questions about a room that one is not in and about somebody whom one does not know.
    static let curiousOutsiders = Attack(
        name: "an outsider asks about rooms and people", environment: ["MARTLET_PRESENCE_WATCH": "nobody"]
    ) { arena, scale in
        let mallory = try await arena.member("mallory")
        let questions = [
            (#""type":"history","roomId":"plaza""#, #""code":"not_member""#, "what was said"),
            (#""type":"members","roomId":"plaza""#, #""code":"not_member""#, "who is in a room"),
            (#""type":"watch","users":["ann"]"#, #"{"userId":"ann","code":"forbidden"}"#, "who is online"),
        ]
        try await arena.pay {
            for round in 0..<(50 * scale) {
                for (number, (question, refusal, what)) in questions.enumerated() {
                    let id = round * questions.count + number
                    mallory.send(text: #"{"id":\#(id),\#(question)}"#)
                    let answer = try await mallory.text(with: #""id":\#(id),"#)
                    if answer.contains(#""code":"rate_limited""#) { try await arena.wait(.milliseconds(100)) }
                    if !answer.contains(refusal) && !answer.contains(#""code":"rate_limited""#) {
                        arena.note("an outsider is told \(what)")
                    }
                }
            }
        }
    }
}
