import GatewayCore
import Testing

import RedisBackend

@Suite("The rules of registration, of guests")
struct RegistrationGuestTests {
    typealias Machine = RegistrationMachine

    private let room = RoomName(unchecked: "r")
    private let holder = Holder(node: "n1", incarnation: 1)

    private func report(of actions: [Machine.Action]) throws -> (call: Machine.Call, report: GuestCounts.Report) {
        for call in actions.calls { if case .guests(let report, _, _) = call { return (call, report) } }
        throw Unexpected(actions)
    }

    private func guests(_ count: Int, on talk: RegistryConversation) throws -> [Machine.Call] {
        var calls: [Machine.Call] = []
        for number in 0..<count {
            _ = talk.connectGuest("g\(number)")
            calls += talk.attend("r", "g\(number)").calls
        }
        return calls
    }

    @Test func `a thousand that come while one call is under way are one call more, and each counts once`() throws {
        let talk = RegistryConversation.standing()
        let calls = try guests(1000, on: talk)
        #expect(calls.count == 1)
        #expect(talk.attend("r", "g5").isEmpty && talk.attend("r", "nobody").isEmpty)
        let (next, report) = try self.report(of: talk.answered(calls[0], .guests(.counted(nil))))
        #expect(report == GuestCounts.Report(room, count: 1000))
        #expect(talk.answered(next, .guests(.counted(nil))).isEmpty)
    }

    @Test func `what they leave by is told with the number, and a loss before a farewell stays one`() throws {
        let talk = RegistryConversation.standing()
        let first = try guests(3, on: talk)
        let (second, _) = try report(of: talk.answered(first[0], .guests(.counted(nil))))
        #expect(talk.disconnect("g0", .abrupt(.lost)).isEmpty)
        #expect(talk.leave("r", "g1").isEmpty && talk.leave("r", "g1").isEmpty)
        let (third, report) = try self.report(of: talk.answered(second, .guests(.counted(nil))))
        #expect(report == GuestCounts.Report(room, count: 1, departure: .abrupt(.lost)))
        #expect(talk.answered(third, .guests(.counted(nil))).isEmpty)
        let (last, end) = try self.report(of: talk.disconnect("g2", .farewell(.closed)))
        #expect(end == GuestCounts.Report(room, count: 0, departure: .farewell(.closed)))
        #expect(talk.answered(last, .guests(.counted(nil))).isEmpty && talk.ticked().renewed.isEmpty)
    }

    @Test func `what failed is told again with what is so then`() throws {
        let talk = RegistryConversation.standing()
        let first = try guests(2, on: talk)
        _ = talk.disconnect("g1", .abrupt(.lost))
        #expect(talk.failed(first[0]).isEmpty)
        talk.linkLost()
        let (call, report) = try self.report(of: talk.linked())
        #expect(report == GuestCounts.Report(room, count: 1, departure: .abrupt(.lost)))
        #expect(talk.answered(call, .guests(.counted(nil))).isEmpty)
        #expect(throws: Unexpected.self) { try self.report(of: talk.beaten()) }
    }

    @Test func `under another incarnation they are told again before the older one is given up`() throws {
        let talk = RegistryConversation.standing()
        for call in try guests(2, on: talk) {
            for next in talk.answered(call, .guests(.counted(nil))).calls {
                _ = talk.answered(next, .guests(.counted(nil)))
            }
        }
        let actions = talk.registered(2)
        let (call, report) = try self.report(of: actions)
        #expect(report == GuestCounts.Report(room, count: 2, isRestored: true))
        guard case .guests(_, let writer, .all) = call else { throw Unexpected(actions) }
        #expect(writer == Machine.Writer(holder: Holder(node: "n1", incarnation: 2), isKnown: false))
        let before = talk.renounced.count
        #expect(talk.answered(call, .guests(.counted(nil))).isEmpty)
        #expect(talk.renounced.count == before + 1)
    }

    @Test func `what has changed while Redis was away is told behind what it may have lost`() throws {
        let talk = RegistryConversation.standing()
        for call in try guests(3, on: talk) {
            for next in talk.answered(call, .guests(.counted(nil))).calls {
                _ = talk.answered(next, .guests(.counted(nil)))
            }
        }
        talk.lost()
        #expect(talk.leave("r", "g0").isEmpty)
        let actions = talk.registered(2)
        #expect(actions.calls.filter { if case .guests = $0 { true } else { false } }.count == 1)
        let (call, report) = try self.report(of: actions)
        #expect(report == GuestCounts.Report(room, count: 2, isRestored: true))
        let (_, next) = try self.report(of: talk.answered(call, .guests(.counted(nil))))
        #expect(next.count == 2 && next.departure != nil && !next.isRestored)
    }

    @Test func `one that finds itself fenced takes another incarnation`() throws {
        let talk = RegistryConversation.standing()
        let call = try guests(1, on: talk)[0]
        #expect(talk.answered(call, .guests(.fenced(at: 9))) == [.takeNewIncarnation(in: 1, above: 9)])
        let (_, report) = try self.report(of: talk.registered(10))
        #expect(report.count == 1)
    }

    @Test func `one that says that none are there is not known to be among the holders for it`() throws {
        let talk = RegistryConversation.standing()
        let call = try guests(1, on: talk)[0]
        _ = talk.failed(call)
        talk.linkLost()
        #expect(talk.disconnect("g0", .farewell(.closed)).isEmpty)
        let (none, report) = try self.report(of: talk.linked())
        #expect(report.count == 0)
        #expect(talk.answered(none, .guests(.counted(nil))).isEmpty)
        _ = talk.connectGuest("g1")
        guard case .guests(_, let writer, _) = try self.report(of: talk.attend("r", "g1")).call else { return }
        #expect(!writer.isKnown)
    }

    @Test func `beside nodes of an earlier release they wait`() throws {
        let talk = RegistryConversation.standing()
        talk.allowGuests(false)
        #expect(try guests(2, on: talk).isEmpty)
        #expect(throws: Unexpected.self) { try self.report(of: talk.beaten() + talk.registered(2)) }
        talk.allowGuests(true)
        #expect(try self.report(of: talk.beaten()).report.count == 2)
    }

    @Test func `whose user is named later stays a guest where it shows nobody`() throws {
        let talk = RegistryConversation.standing()
        let call = try guests(1, on: talk)[0]
        _ = talk.answered(call, .guests(.counted(nil)))
        talk.enter("g0", "alice")
        let (_, report) = try self.report(of: talk.disconnect("g0", .abrupt(.lost)))
        #expect(report == GuestCounts.Report(room, count: 0, departure: .abrupt(.lost)))
    }

    @Test func `how many connections there are is told after each member, and to those who have come`() throws {
        var settings = PresenceSettings()
        settings.counting = { _ in RoomCounting(isToldSubscribers: true, isNoted: false) }
        let talk = RegistryConversation.standing(settings)
        let first = try guests(1, on: talk)[0]
        #expect(talk.answered(first, .guests(.counted(120))) == [.tellNewcomers(of: room, 120)])
        talk.enter("c1", "alice")
        let join = try #require(talk.join("r", "c1").calls.first)
        let joined = talk.answered(join, .join(.joined(RegistryConversation.roster, stream: nil)))
        #expect(try self.report(of: joined).report.count == 1)
    }
}

extension [RegistrationMachine.Action] {
    /// Rooms whose keys are renewed.
    fileprivate var renewed: [RoomName] {
        flatMap { action in if case .renew(let renewal) = action { renewal.rooms } else { [RoomName]() } }
    }
}
