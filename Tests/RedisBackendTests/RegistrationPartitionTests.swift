import GatewayCore
import Testing

import RedisBackend

/// Some partitions lie on a server that is away, of a Cluster whose others stand.
@Suite("Registration by partitions")
struct RegistrationPartitionTests {
    typealias Machine = RegistrationMachine

    /// Where the server is away; where it stands.
    private static let away = Partition.all[7], here = Partition.all[40]
    private let others = PartitionSet.all.subtracting(PartitionSet([away]))
    private let awaySet = PartitionSet([away])

    /// A name of a user, or a room, of a partition.
    private static func name(_ prefix: String, _ partition: Partition) -> String {
        (0...).lazy.map { "\(prefix)\($0)" }.first { Partition(of: $0) == partition } ?? ""
    }

    private let lost = name("u", away), present = name("u", here)
    private let lostRoom = name("r", away), presentRoom = name("r", here)

    private func writes(_ actions: [Machine.Action]) -> [String] {
        actions.calls.filter(\.isWrite).map { call in
            switch call {
            case .connect: "connect \(call.connection ?? "")"
            case .connectAgain: "connect again \(call.connection ?? "")"
            case .join: "join \(call.connection ?? "")"
            case .joinAgain: "join again \(call.connection ?? "")"
            case .leave: "leave \(call.connection ?? "")"
            case .disconnect: "disconnect \(call.connection ?? "")"
            case .remember: "remember \(call.connection ?? "")"
            default: "\(call)"
            }
        }
    }

    @Test func `a server that is away from the start holds up its own users and rooms, and nobody else's`() {
        let talk = RegistryConversation()
        _ = talk.linked(others)
        _ = talk.registered(1)
        #expect(talk.connect("c1", lost) == [])
        #expect(writes(talk.connect("c2", present)) == ["connect c2"])
        #expect(talk.join(lostRoom, "c2") == [])
        #expect(writes(talk.join(presentRoom, "c2")) == ["join c2"])
        #expect(talk.join(lostRoom, "c1") == [])
        // Whoever is of the lost partition may be in a room of another.
        #expect(writes(talk.join(presentRoom, "c1")) == ["join c1"])
        #expect(writes(talk.beaten()) == [])
        #expect(writes(talk.linked(awaySet)) == ["connect c1", "join c2", "join c1"])
        #expect(writes(talk.connect("c3", lost)) == ["connect c3"])
    }

    @Test func `what waits is carried out by partitions, in the order of each, and nothing overtakes it there`() {
        let talk = RegistryConversation.standing()
        talk.pass(talk.settings.lease)
        #expect(talk.connect("c1", lost) + talk.connect("c2", present) + talk.connect("c3", lost) == [])
        talk.linkLost(awaySet)
        #expect(writes(talk.beaten()) == ["connect c2"])
        #expect(writes(talk.connect("c4", present)) == ["connect c4"])
        #expect(talk.connect("c5", lost) == [])
        #expect(writes(talk.beaten()) == [])
        #expect(writes(talk.linked(awaySet)) == ["connect c1", "connect c3", "connect c5"])
        #expect(writes(talk.beaten()) == [])
    }

    @Test func `a call that failed is made again with its server, and not with the beats between`() throws {
        let talk = RegistryConversation.standing()
        let first = try #require(talk.connect("c1", lost).calls.first)
        let second = try #require(talk.connect("c2", present).calls.first)
        talk.linkLost(awaySet)
        _ = talk.failed(first) + talk.failed(second)
        #expect(writes(talk.beaten()) == ["connect c2"])
        #expect(writes(talk.beaten()) == [])
        #expect(writes(talk.linked(awaySet)) == ["connect c1"])
    }

    @Test func `only what a lost server was known to have is not known of it any more`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", lost)
        talk.enter("c2", present)
        func isKnown(_ id: String, _ user: String) throws -> Bool {
            guard case .connect(_, let writer, _) = talk.connect(id, user).calls.first else { throw Unexpected([]) }
            return writer.isKnown
        }
        #expect(try isKnown("c3", lost) && isKnown("c4", present))
        talk.linkLost(awaySet)
        #expect(try !isKnown("c5", lost))
        #expect(try isKnown("c6", present))
    }

    @Test func `one that goes before its server is back is answered then, whatever else is away`() {
        let first = Partition.all[0]
        let talk = RegistryConversation()
        _ = talk.linked(others.subtracting(PartitionSet([first])))
        _ = talk.registered(1)
        #expect(talk.connect("c1", lost) == [])
        #expect(talk.disconnect("c1", .farewell(.closed)) == [])
        let actions = talk.linked(awaySet)
        #expect(actions.others.contains(.registered(1, .failure(.backend(Machine.gone)))))
        #expect(writes(actions) == ["disconnect c1"])
    }

    @Test func `one that goes while it is asked for, in vain, is answered at once`() throws {
        let talk = RegistryConversation.standing()
        let call = try #require(talk.connect("c1", lost).calls.first)
        #expect(writes(talk.disconnect("c1", .farewell(.closed))) == ["disconnect c1"])
        #expect(talk.failed(call).others.contains(.registered(1, .failure(.backend(Machine.gone)))))
        #expect(writes(talk.beaten()) == [])
    }

    @Test func `what waits is answered as the node ends, wherever its server is`() {
        let talk = RegistryConversation()
        _ = talk.linked(others)
        _ = talk.registered(1)
        _ = talk.connect("c1", lost) + talk.connect("c2", present) + talk.join(lostRoom, "c2")
        let reason = BackendError.unavailable(reason: "the node is shutting down")
        #expect(talk.stopped().others == [.registered(1, .failure(.backend(reason))), .joined(3, .failure(reason))])
        guard case .registered(4, .failure) = talk.connect("c3", lost).others.first else {
            Issue.record("it waits")
            return
        }
    }

    // MARK: The index

    @Test func `of a Cluster a node writes on where servers stand, though none of its beats is answered`() {
        let talk = RegistryConversation.standing(goesByFences: true)
        talk.pass(talk.settings.lease * 3)
        #expect(writes(talk.connect("c1", present)) == ["connect c1"])
        #expect(writes(talk.linked(awaySet)) == [])
        #expect(writes(talk.connect("c2", present)) == ["connect c2"])
    }

    @Test func `what a server did not take is tried again at the next tick, though no beat is answered`() throws {
        let talk = RegistryConversation.standing(goesByFences: true)
        let call = try #require(talk.connect("c1", present).calls.first)
        talk.pass(talk.settings.lease * 3)
        #expect(writes(talk.failed(call)) == [])
        #expect(writes(talk.ticked()) == ["connect c1"])
    }

    @Test func `a node that is not in the index writes nothing, whatever it goes by`() {
        let talk = RegistryConversation(goesByFences: true)
        _ = talk.linked()
        #expect(talk.connect("c1", present) == [])
        #expect(writes(talk.registered(1)) == ["connect c1"])
        talk.lost()
        #expect(talk.connect("c2", present) == [])
    }

    // MARK: What is registered again, and compared

    @Test func `under a new incarnation what a lost server did not take is tried again as it comes back`() throws {
        let talk = RegistryConversation.standing()
        talk.enter("c1", lost)
        talk.enter("c2", present)
        talk.linkLost(awaySet)
        talk.lost()
        let calls = talk.registered(2).calls.filter(\.isWrite)
        #expect(Set(calls.map(\.connection)) == ["c1", "c2"])
        for call in calls {
            guard call.connection == "c2" else {
                #expect(talk.failed(call) == [])
                continue
            }
            _ = talk.answered(call, .connect(.registered(Connect.Registered(since: 5, now: 6))))
        }
        #expect(writes(talk.beaten()) == [])
        #expect(writes(talk.linked(awaySet)) == ["connect again c1"])
    }

    @Test func `a partition is compared once its server is there`() {
        let talk = RegistryConversation.standing()
        talk.linkLost(awaySet)
        talk.clockStepped()
        func compared(_ actions: [Machine.Action]) -> PartitionSet {
            PartitionSet(
                actions.calls.compactMap { if case .readHeld(let partition, _) = $0 { partition } else { nil } })
        }
        #expect(compared(talk.beaten()) == others)
        #expect(compared(talk.beaten()) == .none)
        #expect(compared(talk.linked(awaySet)) == awaySet)
    }

    @Test func `marks are read where the channels were renewed`() {
        let talk = RegistryConversation.standing()
        #expect(talk.channelsRenewed(awaySet).calls == [.readMarks(Self.away)])
    }
}
