import Foundation
import GatewayCore
import GatewayNode
import Testing

@Suite("Questions to a backend and its answers, as they are spelled")
struct HookAnswerTests {
    private static let now = HookTime(monotonic: MonotonicTime(nanoseconds: 1_000_000_000), wall: 1_700_000_000_000)
    private static let shown = Presented(
        token: "t\"1", headers: [.init(name: "Origin", value: "https://a.example")], address: "192.0.2.7")

    private static func question(_ subject: Question.Subject, of user: String? = nil) -> Question {
        Question(
            subject, of: user.map { UserID(unchecked: $0) }, shown: shown, connectionId: "c1")
    }

    private static func text(_ question: Question, _ format: HookSettings.Format = .martlet) -> String {
        String(decoding: format.request(for: question).body, as: UTF8.self)
    }

    private static func answer(
        _ text: String, to user: String? = "alice", _ subject: Question.Subject = .connect,
        _ format: HookSettings.Format = .martlet, status: UInt = 200
    ) throws -> HookAnswer {
        try format.answer(status, Array(text.utf8), to: question(subject, of: user), at: now)
    }

    @Test func `a question says what is known, the connection's name last`() {
        #expect(
            Self.text(Self.question(.connect))
                == #"{"action":"connect","token":"t\"1","headers":{"Origin":"https://a.example"},"address":"192.0.2.7","connectionId":"c1"}"#
        )
        let payload = Array(#"{"a": 1.50}"#.utf8)
        #expect(
            Self.text(Self.question(.publish(RoomName(unchecked: "r"), payload: payload), of: "al\"ice"))
                == #"{"action":"publish","userId":"al\"ice","token":"t\"1","roomId":"r","payload":{"a": 1.50},"headers":{"Origin":"https://a.example"},"address":"192.0.2.7","connectionId":"c1"}"#
        )
    }

    @Test func `an answer that is not UTF-8 says nothing`() throws {
        let answer = Array(#"{"allow":true,"userId":"alice","info":{"name":"Jos"#.utf8) + [0xE9] + Array(#""}}"#.utf8)
        #expect(throws: (any Error).self) {
            try HookSettings.Format.martlet.answer(200, answer, to: Self.question(.connect), at: Self.now)
        }
    }

    @Test func `a yes brings what it says, byte for byte, and ends from now on`() throws {
        let answer = try Self.answer(
            #"""
            {"allow":true,"userId":"alice","info":{"n": 1.0},"rooms":{"a*":["join"]},"join":["a1","a2"],"expires":1.5,
             "cacheSeconds":60,"unknown":[1]}
            """#)
        #expect(answer.holds == .seconds(60))
        let grants = RoomGrants([(try #require(RoomPattern("a*")), [.join])])
        #expect(
            answer.ruling
                == .allowed(
                    Grant(
                        userId: UserID(unchecked: "alice"), info: Array(#"{"n": 1.0}"#.utf8), rooms: grants,
                        joins: ["a1", "a2"].map { RoomName(unchecked: $0) },
                        endsAt: Self.now.monotonic + .milliseconds(1500))))
        let nothing = try Self.answer(
            #"{"allow":true,"userId":null,"info":null,"rooms":null,"join":null,"expires":null,"cacheSeconds":null}"#)
        #expect(nothing == HookAnswer(ruling: .allowed(Grant()), holds: .zero))
        // Further away than anything lasts.
        #expect(try Self.answer(#"{"allow":true,"expires":1e300,"cacheSeconds":1e300}"#).holds == .seconds(86_400))
    }

    @Test func `a no has a code and a text that a close frame holds`() throws {
        #expect(try Self.answer(#"{"allow":false}"#).ruling == .denied(Denial(.forbidden)))
        #expect(
            try Self.answer(#"{"allow":false,"code":"unauthorized","message":"log\u0007 in"}"#).ruling
                == .denied(Denial(.unauthorized, "log in")))
        let long = try Self.answer(#"{"allow":false,"message":"\#(String(repeating: "ä", count: 500))"}"#).ruling
        #expect(long == .denied(Denial(.forbidden, String(repeating: "ä", count: 60))))
    }

    @Test(arguments: [
        #"{"allow":false,"code":"maybe"}"#, #"{"allow":false,"code":403}"#, #"{"allow":false,"message":{}}"#,
        #"{"allow":false,"code":"forbidden","code":"forbidden"}"#, #"{"allow":true,"allow":false}"#,
        #"{"allow":false,"userId":7}"#,
    ]) func `a no is one, whatever else is wrong with it`(text: String) throws {
        #expect(try Self.answer(text).ruling == .denied(Denial(.forbidden)))
    }

    @Test(arguments: [
        ("", "no JSON"), ("{", "no JSON"), ("[]", "no object"), ("{}", "no allow"), ("<html>", "no JSON"),
        (#"{"allow":"true"}"#, "neither true nor false"), (#"{"allow":true,"allow":true}"#, "twice"),
        (#"{"allow":1}"#, "neither"), (#"{"allow":true}garbage"#, "no JSON"),
        (#"{"allow":true,"userId":"bob"}"#, "another user"), (#"{"allow":true,"userId":7}"#, "userId is no text"),
        (#"{"allow":true,"userId":"system"}"#, "userId must be"), (#"{"allow":true,"info":[]}"#, "info is no object"),
        (#"{"allow":true,"rooms":{"a":["fly"]}}"#, "rooms is no object"), (#"{"allow":true,"join":["@a"]}"#, "no room"),
        (#"{"allow":true,"join":"r"}"#, "no list"), (#"{"allow":true,"expires":0}"#, "over already"),
        (#"{"allow":true,"expires":"1"}"#, "no number"), (#"{"allow":true,"cacheSeconds":-1}"#, "below 0"),
    ]) func `what cannot be gone by counts for nothing`(text: String, reason: String) {
        let problem = #expect(throws: HookProblem.self) { try Self.answer(text) }
        #expect(problem?.description.contains(reason) ?? false, "\(problem?.description ?? "")")
    }

    @Test func `so do other statuses, answers without an end, and a yes to nobody`() {
        for status: UInt in [201, 204, 302, 403, 500] {
            #expect(throws: HookProblem.self) { try Self.answer(#"{"allow":true}"#, status: status) }
        }
        #expect(throws: HookProblem.self) {
            try HookSettings.Format.martlet.answer(200, nil, to: Self.question(.connect, of: "a"), at: Self.now)
        }
        #expect(throws: HookProblem.self) { try Self.answer(#"{"allow":true}"#, to: nil) }
    }

    @Test(arguments: [HookSettings.Format.martlet, .centrifugo])
    func `a yes to nobody is one to a guest, where those are let in and no token was shown`(
        format: HookSettings.Format
    ) throws {
        let text = Array((format == .martlet ? #"{"allow":true}"# : #"{"result":{"user":""}}"#).utf8)
        let guest = Question(
            .connect, of: nil, shown: Presented(headers: [], address: "192.0.2.7"), connectionId: "c1")
        let answer = try format.answer(200, text, to: guest, takesGuests: true, at: Self.now)
        #expect(answer.ruling == .allowed(Grant()))
        let others = [(guest, false), (Self.question(.connect), true)]
        for (question, takesGuests) in others {
            let ruling = try? format.answer(200, text, to: question, takesGuests: takesGuests, at: Self.now).ruling
            #expect(ruling == nil || ruling == .denied(Denial(.unauthorized)))
        }
    }

    @Test func `info has the bounds that a token's has`() throws {
        func info(_ bytes: Int) -> String { #"{"x":"\#(String(repeating: "a", count: bytes - 8))"}"# }
        #expect(info(2048).utf8.count == 2048)
        _ = try Self.answer(#"{"allow":true,"info":\#(info(2048))}"#)
        #expect(throws: HookProblem.self) { try Self.answer(#"{"allow":true,"info":\#(info(2049))}"#) }
    }

    // MARK: Centrifugo

    @Test func `a backend of Centrifugo's is asked at its three places`() {
        let connect = HookSettings.Format.centrifugo.request(for: Self.question(.connect))
        #expect(connect.path == "/connect")
        #expect(
            String(decoding: connect.body, as: UTF8.self)
                == #"{"client":"c1","transport":"websocket","protocol":"json","encoding":"json"}"#)
        #expect(
            connect.fields == [
                .init(name: "Origin", value: "https://a.example"), .init(name: "Authorization", value: #"Bearer t"1"#),
            ])
        let room = RoomName(unchecked: "news")
        let join = HookSettings.Format.centrifugo.request(for: Self.question(.join(room), of: "56"))
        #expect(join.path == "/subscribe")
        #expect(
            String(decoding: join.body, as: UTF8.self)
                == #"{"client":"c1","transport":"websocket","protocol":"json","encoding":"json","user":"56","channel":"news"}"#
        )
        let publish = Self.question(.publish(room, payload: Array(#"{"input":"hello"}"#.utf8)), of: "56")
        #expect(HookSettings.Format.centrifugo.request(for: publish).path == "/publish")
        #expect(Self.text(publish, .centrifugo).hasSuffix(#""channel":"news","data":{"input":"hello"}}"#))
    }

    @Test(
        arguments: [
            ("t2", "stale", ["Bearer t2"]), ("t2", nil, ["Bearer t2"]), (nil, "Basic x", ["Basic x"]), (nil, nil, []),
            ("not in\u{E9} header", "stale", []),
        ] as [(String?, String?, [String])])
    func `the token that counts is sent, and it alone`(token: String?, header: String?, sent: [String]) {
        let headers = header.map { [Presented.Header(name: "authorization", value: $0)] } ?? []
        let question = Question(
            .connect, of: nil, shown: Presented(token: token, headers: headers, address: ""), connectionId: "c1")
        let fields = HookSettings.Format.centrifugo.request(for: question).fields
        #expect(fields.filter { $0.name.lowercased() == "authorization" }.map(\.value) == sent)
    }

    @Test(arguments: [
        (#"{"result":{"data":{"clean":1}}}"#, "changes the message"),
        (#"{"result":{"b64data":"e30="}}"#, "changes the"),
        (#"{"result":{"skip_history":true}}"#, "not to be kept"),
    ]) func `a yes to another message than the one that was sent is none`(text: String, reason: String) throws {
        let publish = Question.Subject.publish(RoomName(unchecked: "r"), payload: Array("1".utf8))
        let problem = #expect(throws: HookProblem.self) { try Self.answer(text, to: "56", publish, .centrifugo) }
        #expect(problem?.description.contains(reason) ?? false, "\(problem?.description ?? "")")
        let plain = #"{"result":{"data":null,"b64data":"","skip_history":false}}"#
        #expect(try Self.answer(plain, to: "56", publish, .centrifugo).ruling == .allowed(Grant()))
    }

    @Test func `a yes to a room that ends is none`() throws {
        let join = Question.Subject.join(RoomName(unchecked: "r"))
        let problem = #expect(throws: HookProblem.self) {
            try Self.answer(#"{"result":{"expire_at":1700000060}}"#, to: "56", join, .centrifugo)
        }
        #expect(problem?.description.contains("expire_at") ?? false)
        let plain = #"{"result":{"expire_at":0,"info":{},"data":{}}}"#
        #expect(try Self.answer(plain, to: "56", join, .centrifugo).ruling == .allowed(Grant()))
    }

    @Test func `its results, errors and disconnects are read`() throws {
        func connect(_ text: String, _ user: String? = nil) throws -> Ruling {
            try Self.answer(text, to: user, .connect, .centrifugo).ruling
        }
        #expect(
            try connect(
                #"""
                {"result":{"user":"56","expire_at":1700000060,"info":{"name":"A"},"channels":["news"],"subs":{"a":{}},
                 "data":{"x":1}}}
                """#)
                == .allowed(
                    Grant(
                        userId: UserID(unchecked: "56"), info: Array(#"{"name":"A"}"#.utf8),
                        joins: ["news", "a"].map { RoomName(unchecked: $0) },
                        endsAt: Self.now.monotonic + .seconds(60))))
        #expect(try connect(#"{"result":{"user":""}}"#) == .denied(Denial(.unauthorized)))
        #expect(try connect(#"{"result":{"user":"56","expire_at":1699999999}}"#) == .denied(Denial(.unauthorized)))
        #expect(
            try connect(#"{"error":{"code":101,"message":"who are you"}}"#)
                == .denied(Denial(.unauthorized, "who are you")))
        #expect(
            try connect(#"{"disconnect":{"code":4501,"reason":"go away"}}"#) == .denied(Denial(.forbidden, "go away")))
        for text in [
            #"{"error":{"code":"403"}}"#, #"{"error":"no"}"#, #"{"disconnect":{"code":"4501"}}"#,
            #"{"error":{"message":5}}"#,
            #"{"error":{},"error":{},"result":{"user":"56"}}"#, #"{"disconnect":true}"#,
        ] {
            #expect(try connect(text) == .denied(Denial(.forbidden)))
        }
        #expect(throws: HookProblem.self) { try connect("{}") }
        #expect(throws: HookProblem.self) { try connect(#"{"result":{"user":"other"}}"#, "56") }
        let join = try Self.answer(#"{"result":{}}"#, to: "56", .join(RoomName(unchecked: "r")), .centrifugo)
        #expect(join.ruling == .allowed(Grant()))
    }
}
