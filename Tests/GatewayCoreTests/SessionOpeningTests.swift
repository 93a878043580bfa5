import GatewayCore
import Testing

@Suite
struct SessionOpeningTests {
    private static let welcome = welcome(answering: "")

    /// - Parameter id: of the frame that showed the token, and a space.
    private static func welcome(answering id: String) -> [String] {
        ["welcome \(id)alice session s1 time 5", "enter *", "enter @alice"]
    }

    @Test func `a token is checked, the connection registered, its own streams followed, then the client welcomed`() {
        let talk = SessionConversation(tokens: true)
        #expect(talk.open(.token("t")) == ["verify t"])
        #expect(talk.verified(SessionConversation.identity()) == ["register"])
        #expect(talk.registered() == ["follow *", "follow @alice"])
        #expect(talk.ready("@alice") == [])
        #expect(talk.ready("*", seq: 3) == Self.welcome)
        #expect(talk.isLive)
    }

    @Test func `everyone's stream is waited for a while, then the client is welcomed without, and told a gap later`() {
        let talk = SessionConversation()
        _ = talk.open(.identity(SessionConversation.identity()))
        _ = talk.registered()
        #expect(talk.failed("*") == ["follow * later"])
        #expect(talk.wait(.seconds(3)) == [])
        #expect(talk.ready("@alice") == [])
        #expect(talk.join(1, "*") == [])
        #expect(talk.wait(.seconds(2)) == ["welcome alice session s1 time 5", "enter @alice"])
        #expect(talk.isLive)
        #expect(talk.join(2, "*") == [])
        #expect(talk.lines(talk.machine.retry(.everyone)) == ["follow *"])
        #expect(talk.ready("*", seq: 7) == ["gap * at 7", "enter * at 7 missed 0", "position 1 *", "position 2 *"])
    }

    @Test func `everyone's stream that comes in time is waited for, and one without the inbox is no reason to go on`() {
        let talk = SessionConversation()
        _ = talk.open(.identity(SessionConversation.identity()))
        _ = talk.registered()
        _ = talk.ready("@alice")
        #expect(talk.wait(.seconds(1)) == [])
        #expect(talk.ready("*") == Self.welcome)
        #expect(talk.wait(.seconds(2)) == [])
        let other = SessionConversation()
        _ = other.open(.identity(SessionConversation.identity()))
        _ = other.registered()
        _ = other.ready("*")
        #expect(other.wait(.seconds(9)) == [])
        #expect(other.wait(.seconds(1)) == ["close 4503 unavailable"])
    }

    @Test func `a resumed session without everyone's stream asks for it with its rooms`() {
        let talk = SessionConversation()
        _ = talk.open(.identity(SessionConversation.identity()), session: "s0")
        _ = talk.registered(["r"])
        _ = talk.ready("@alice")
        #expect(talk.wait(.seconds(2)) == ["welcome alice session s1 resumed time 5"])
        #expect(talk.ready("*", seq: 7) == [])
        #expect(talk.lines(talk.machine.retry(.everyone)) == [])
        #expect(talk.resume(1, ["r": 3, "*": 5]) == ["follow * since 5", "follow @alice", "follow r since 3"])
    }

    @Test func `the session that a client names is asked for when it is known who the client is, however that is told`()
    {
        let early = SessionConversation(tokens: true)
        _ = early.open(.token("t"), session: "s0")
        #expect(early.verified(SessionConversation.identity()) == ["register resuming s0"])
        let late = SessionConversation(tokens: true)
        _ = late.open(.none, session: "s0")
        _ = late.auth(1, "t")
        #expect(late.verified(SessionConversation.identity()) == ["register resuming s0"])
        let unproven = SessionConversation()
        #expect(unproven.open(.identity(SessionConversation.identity()), session: "s0") == ["register resuming s0"])
    }

    @Test func `a registry that cannot be reached is asked again until the time is over, with the same session`() {
        let talk = SessionConversation()
        _ = talk.open(.identity(SessionConversation.identity()), session: "s0")
        #expect(talk.registrationFailed(.backend(.unavailable(reason: "secret"))) == ["register later"])
        #expect(talk.lines(talk.machine.retryRegistration()) == ["register resuming s0"])
        #expect(talk.lines(talk.machine.retryRegistration()) == [])
        #expect(talk.wait(.seconds(10)) == ["close 4503 unavailable"])
        #expect(talk.registered() == [])
    }

    @Test func `one connection too many is closed with 4409, and the registry has nothing to forget`() {
        let talk = SessionConversation()
        _ = talk.open(.identity(SessionConversation.identity()))
        #expect(talk.registrationFailed(.tooManyConnections) == ["close 4429 too many connections"])
        #expect(talk.end(.byGateway(.replaced)) == [])
    }

    @Test func `frames wait for welcome where a token came with the handshake, and are served in their order`() {
        let talk = SessionConversation(tokens: true)
        _ = talk.open(.token("t"))
        #expect(talk.join(1, "r") == [])
        #expect(talk.ping(2) == [])
        _ = talk.verified(SessionConversation.identity())
        #expect(talk.say(3, "r") == [])
        _ = talk.registered()
        #expect(talk.ping(4) == [])
        _ = talk.ready("*")
        #expect(talk.ready("@alice") == Self.welcome + ["enroll r {}", "pong 2", "pong 4"])
        #expect(talk.enrolled("r") == ["follow r"])
        #expect(
            talk.ready("r", seq: 9) == ["joined 1 r at 9", "enter r at 9 missed 0", "publish 3 r by alice"])
    }

    @Test func `more frames than may wait for welcome close the connection`() {
        let talk = SessionConversation(tokens: true)
        _ = talk.open(.token("t"))
        for id in 1...64 { #expect(talk.ping(id) == []) }
        #expect(talk.ping(65) == ["close 4429 too many requests"])
    }

    @Test func `more bytes than may wait for welcome close the connection`() {
        let talk = SessionConversation(tokens: true, limits: SessionLimits(maxWaitingBytes: 100))
        _ = talk.open(.token("t"))
        #expect(talk.say(1, "r", bytes: 100) == [])
        #expect(talk.say(2, "r", bytes: 1) == ["close 4429 too many requests"])
    }

    @Test func `without a token only auth and ping are taken`() {
        let talk = SessionConversation(tokens: true)
        #expect(talk.open(.none) == [])
        #expect(talk.join(1, "r") == ["error 1 unauthorized"])
        #expect(talk.ping(2) == ["pong 2"])
        #expect(talk.auth(3, "t") == ["verify t"])
        #expect(talk.join(4, "r") == ["error 4 unauthorized"])
        #expect(talk.ping(5) == ["pong 5"])
        #expect(talk.verified(SessionConversation.identity()) == ["register"])
        #expect(talk.ping(6) == ["pong 6"])
        _ = talk.registered()
        #expect(talk.join(7, "r") == ["error 7 unauthorized"])
        _ = talk.ready("*")
        #expect(talk.ready("@alice") == Self.welcome(answering: "3 "))
    }

    @Test func `a second auth waits until the first has been answered, and is then a refresh`() {
        let talk = SessionConversation(tokens: true)
        _ = talk.open(.none)
        _ = talk.auth(1, "t")
        #expect(talk.auth(2, "u") == [])
        _ = talk.verified(SessionConversation.identity())
        _ = talk.registered()
        _ = talk.ready("*")
        #expect(talk.ready("@alice") == Self.welcome(answering: "1 ") + ["verify u"])
        #expect(talk.verified(SessionConversation.identity(expires: 9)) == ["authenticated 2 9000"])
    }

    @Test func `a bad token closes with 4401 and says why`() {
        let talk = SessionConversation(tokens: true)
        _ = talk.open(.token("t"))
        #expect(talk.refused("the token has expired") == ["close 4401 the token has expired"])
        #expect(talk.ping(1) == [])
        #expect(talk.verified(SessionConversation.identity()) == [])
    }

    @Test func `a name that cannot be right closes with 4401 and names the problem`() {
        let talk = SessionConversation()
        #expect(talk.open(.refused("userId: not UTF-8")) == ["close 4401 userId: not UTF-8"])
        let nameless = SessionConversation()
        #expect(nameless.open(.none) == ["close 4401 userId is missing"])
    }

    @Test func `no token in time is 4401`() {
        let talk = SessionConversation(tokens: true)
        _ = talk.open(.none)
        #expect(talk.wait(.milliseconds(9_999)) == [])
        #expect(talk.wait(.milliseconds(1)) == ["close 4401 no token came"])
    }

    @Test func `a backend that does not answer in time is 4503`() {
        let talk = SessionConversation()
        _ = talk.open(.identity(SessionConversation.identity()))
        _ = talk.registered()
        #expect(talk.failed("@alice") == ["follow @alice later"])
        #expect(talk.lines(talk.machine.retry(SessionConversation.room("@alice"))) == ["follow @alice"])
        _ = talk.ready("*")
        #expect(talk.lines(talk.machine.retry(SessionConversation.room("*"))) == [])
        #expect(talk.wait(.seconds(9)) == [])
        #expect(talk.wait(.seconds(1)) == ["close 4503 unavailable"])
    }

    @Test func `a verifier that does not answer in time is 4503`() {
        let talk = SessionConversation(tokens: true)
        _ = talk.open(.token("t"))
        #expect(talk.wait(.seconds(10)) == ["close 4503 unavailable"])
    }

    @Test func `deadlines are told: the timeout first, then the token's end`() {
        let talk = SessionConversation(tokens: true)
        let opened = talk.now
        _ = talk.open(.token("t"))
        #expect(talk.deadline(wall: 0) == opened + .seconds(10))
        _ = talk.verified(SessionConversation.identity(expires: 60))
        _ = talk.registered()
        _ = talk.ready("*")
        _ = talk.ready("@alice")
        let expiry = talk.deadline(wall: 50_000)
        #expect(expiry == talk.now + .seconds(11))
        let forever = SessionConversation.live()
        #expect(forever.deadline(wall: 0) == nil)
        #expect(forever.wait(.seconds(1_000_000)) == [])
    }
}

@Suite
struct SessionTokenTests {
    private let lessons = RoomPattern("lesson-*").map { RoomGrants([($0, Set(RoomAction.allCases))]) }

    @Test func `a token that expires closes the living connection, after the leeway`() {
        let talk = SessionConversation.live(tokens: true, expires: 1_700_000_010)
        #expect(talk.wait(.milliseconds(10_999)) == [])
        #expect(talk.wait(.milliseconds(1)) == ["close 4401 the token has expired"])
    }

    @Test func `so does one that ends while its connection waits to be let in`() {
        for isRegistered in [false, true] {
            let talk = SessionConversation(tokens: true)
            _ = talk.open(.token("t"))
            _ = talk.verified(SessionConversation.identity(expires: 1_700_000_002))
            if isRegistered { _ = talk.registered() }
            #expect(talk.deadline(wall: talk.wallMilliseconds) == talk.now + .seconds(3))
            #expect(talk.wait(.milliseconds(2_999)) == [])
            #expect(talk.wait(.milliseconds(1)) == ["close 4401 the token has expired"])
        }
    }

    @Test func `an expiry beyond all time is none`() {
        let talk = SessionConversation.live(tokens: true, expires: .max)
        #expect(talk.wait(.seconds(1_000_000)) == [])
    }

    @Test func `a fresh token moves the end`() {
        let talk = SessionConversation.live(tokens: true, expires: 1_700_000_010)
        #expect(talk.auth(1, "u") == ["verify u"])
        let fresh = SessionConversation.identity(expires: 1_700_000_100)
        #expect(talk.verified(fresh) == ["authenticated 1 1700000100000"])
        #expect(talk.wait(.seconds(50)) == [])
        #expect(talk.wait(.seconds(51)) == ["close 4401 the token has expired"])
    }

    @Test(arguments: [99_999_999_999, 1_700_000_000_000, 1 << 53, .max])
    func `a token may end in any year`(expires: Int64) {
        let talk = SessionConversation.live(tokens: true, expires: expires)
        let deadline = talk.deadline(wall: talk.wallMilliseconds)
        #expect(deadline.map { $0 > talk.now + .seconds(100 * 365 * 86400) } ?? true)
        #expect(talk.wait(.seconds(86400)) == [])
    }

    @Test func `another user's token is forbidden and changes nothing`() {
        let talk = SessionConversation.live(tokens: true, expires: 1_700_000_010)
        _ = talk.auth(1, "u")
        #expect(talk.verified(SessionConversation.identity("bob")) == ["error 1 forbidden"])
        #expect(talk.user == "alice")
        #expect(talk.wait(.seconds(11)) == ["close 4401 the token has expired"])
    }

    @Test func `of a fresh token the registry is asked whether it still counts`() {
        let talk = SessionConversation.live(tokens: true)
        var fresh = SessionConversation.identity(expires: 1_700_000_100)
        fresh.issuedAt = 7
        _ = talk.auth(1, "u")
        #expect(talk.answered(.verified(result: .success(fresh))) == ["confirm alice issued 7"])
        #expect(talk.auth(2, "v") == ["error 2 conflict"])
        #expect(talk.confirmed(.admitted) == ["authenticated 1 1700000100000"])
        #expect(talk.confirmed(.admitted) == [])
        _ = talk.auth(3, "w")
        #expect(talk.confirmed(.admitted) == [])
        _ = talk.answered(.verified(result: .success(fresh)))
        #expect(talk.confirmed(.unknown) == ["authenticated 3 1700000100000"])
        // One from before may have been made void.
        for (id, issuedAt) in [(4, 6), (5, nil)] as [(Int, Int64?)] {
            fresh.issuedAt = issuedAt
            _ = talk.auth(id, "x")
            _ = talk.answered(.verified(result: .success(fresh)))
            #expect(talk.confirmed(.unknown) == ["error \(id) unavailable"])
        }
    }

    @Test func `a fresh token that is void ends the connection, and so does a ban`() {
        for (admission, end) in [
            (Clearance.tokenVoid, "close 4401 the token is void"), (.banned, "close 4403 banned"),
        ] {
            let talk = SessionConversation.live(tokens: true)
            _ = talk.auth(1, "u")
            _ = talk.answered(.verified(result: .success(SessionConversation.identity())))
            #expect(talk.confirmed(admission) == [end])
            #expect(talk.confirmed(.admitted) == [])
        }
    }

    @Test func `who is banned, or has a void token, is not let in`() {
        for (error, end) in [
            (RegistrationError.banned, "close 4403 banned"), (.tokenVoid, "close 4401 the token is void"),
        ] {
            let talk = SessionConversation(tokens: true)
            _ = talk.open(.token("t"))
            _ = talk.verified(SessionConversation.identity())
            #expect(talk.registrationFailed(error) == [end])
        }
    }

    @Test func `a bad fresh token is an error, and the old one holds on`() {
        let talk = SessionConversation.live(tokens: true)
        _ = talk.auth(1, "u")
        #expect(talk.refused("bad") == ["error 1 unauthorized"])
        #expect(talk.join(2, "r") == ["enroll r {}"])
    }

    @Test func `one token is checked at a time`() {
        let talk = SessionConversation.live(tokens: true)
        _ = talk.auth(1, "u")
        #expect(talk.auth(2, "v") == ["error 2 conflict"])
        _ = talk.verified(SessionConversation.identity())
        #expect(talk.auth(3, "w") == ["verify w"])
    }

    @Test func `rooms that the fresh token does not allow are left`() {
        let talk = SessionConversation.live(tokens: true)
        for room in ["lesson-1", "b", "a"] { talk.enter(room) }
        _ = talk.join(2, "c")
        _ = talk.auth(3, "u")
        let answer = talk.verified(SessionConversation.identity(grants: lessons))
        #expect(
            answer == [
                "authenticated 3 0", "withdraw a", "leave a", "left - a", "withdraw b", "leave b", "left - b",
            ])
        _ = talk.enrolled("c")
        #expect(talk.ready("c") == ["withdraw c", "leave c", "error 2 forbidden"])
        #expect(talk.say(4, "a") == ["error 4 not_member"])
        #expect(talk.say(5, "lesson-1") == ["publish 5 lesson-1 by alice"])
    }

    @Test func `a room that the fresh token does not allow is left though its replay could not be had either`() {
        let talk = SessionConversation.live(tokens: true)
        for room in ["lesson-1", "a"] {
            talk.enter(room)
            _ = talk.join(2, room, since: 3)
        }
        _ = talk.auth(3, "u")
        _ = talk.verified(SessionConversation.identity(grants: lessons))
        #expect(talk.failed("a") == ["withdraw a", "leave a", "error 2 forbidden"])
        #expect(talk.failed("lesson-1") == ["error 2 unavailable"])
        #expect(!talk.isMember(of: "a"))
        #expect(talk.isMember(of: "lesson-1"))
    }

    @Test func `where nobody proves who they are, tokens mean nothing`() {
        let talk = SessionConversation.live()
        #expect(talk.auth(1, "u") == ["error 1 bad_request"])
    }
}
