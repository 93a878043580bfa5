import LoadBench
import Testing

@Suite struct CrewPlanTests {
    @Test(arguments: [(10, 6), (10, 3), (1, 4), (10, 1)])
    func `all nodes have as many connections, and a room's members are on as many nodes as can be`(
        members: Int, nodes: Int
    ) {
        let rooms = 600
        let options = LoadOptions(
            targets: (1...nodes).map { .localhost(port: UInt16($0)) }, workerCommand: [], floorCommand: [])
        let plan = options.plan(
            connections: rooms * members, layout: RoomLayout(rooms: rooms, publishers: 0, prefix: "r"))
        var counts: [LoopbackTarget: Int] = [:]
        var nodesOfRoom = [Set<LoopbackTarget>](repeating: [], count: rooms)
        for member in 0..<rooms * members {
            counts[plan.target(of: member), default: 0] += 1
            nodesOfRoom[member % rooms].insert(plan.target(of: member))
        }
        #expect(Set(counts.values) == [rooms * members / nodes])
        #expect(nodesOfRoom.allSatisfy { $0.count == min(members, nodes) })
    }

    @Test(arguments: [1, 2, 3])
    func `of mixed members each room has as many of either kind at each node`(nodes: Int) {
        let rooms = 5
        var options = LoadOptions(
            targets: (1...nodes).map { .localhost(port: UInt16($0)) }, workerCommand: [], floorCommand: [])
        options.dialect = .mixed
        let plan = options.plan(
            connections: rooms * 12, layout: RoomLayout(rooms: rooms, publishers: 0, prefix: "r"))
        for room in 0..<rooms {
            let members = stride(from: room, to: rooms * 12, by: rooms)
            for target in options.targets {
                let own = members.filter { plan.target(of: $0) == target }
                #expect(own.filter { plan.speaksPusher($0) }.count * 2 == own.count)
            }
        }
    }

    @Test(arguments: [(1, 1), (1, 3), (3, 3), (2, 4), (7, 1)])
    func `of mixed members half speak Pusher's protocol, be a room's ever so few`(members: Int, nodes: Int) {
        let rooms = 600
        var options = LoadOptions(
            targets: (1...nodes).map { .localhost(port: UInt16($0)) }, workerCommand: [], floorCommand: [])
        options.dialect = .mixed
        let plan = options.plan(
            connections: rooms * members, layout: RoomLayout(rooms: rooms, publishers: 0, prefix: "r"))
        let speaking = (0..<rooms * members).filter { plan.speaksPusher($0) }
        #expect(speaking.count * 2 == rooms * members)
    }
}
