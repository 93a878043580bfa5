import GatewayCore
import NIOCore

/// What connections of this loop spend, in common with those of other loops; and those that wait.
extension Hub {
    /// One client's next part.
    struct OutputWaiter {
        let connection: SocketHandler
        let goOn: () -> Void
    }

    private static let nextTurn = TimeAmount.milliseconds(1)
    private static let nextLook = TimeAmount.milliseconds(20)
    /// Gathered for a room before all loops are told.
    private static let roomKilobytes: Int32 = 2048

    /// Takes out of the shared budgets what a connection has spent: all that is spent for clients passes here.
    ///
    /// - Returns: how long it has to wait before more is done for it.
    func charge(_ spending: Spending, of connection: SocketHandler, now: MonotonicTime) -> Duration? {
        let user = connection.machine.identity?.userId
        tally?.spent(spending, by: user, at: connection.address?.description ?? "")
        return budgets.spend(spending, by: user, at: connection.address, now: now)
    }

    // MARK: Rooms

    /// How many are told of what happens in a room: on all nodes where it keeps a roster; else, about, on this one, whose
    /// loops have as many each.
    func audience(of room: RoomName) -> Int {
        guard let hubRoom = rooms[room] else { return 0 }
        if let roster = hubRoom.roster { return max(roster.members, hubRoom.memberCount) }
        return hubRoom.memberCount * max(1, census.hubs(in: room))
    }

    /// How long nothing more may be sent to a room.
    func wait(for room: RoomName, now: MonotonicTime) -> Duration? {
        blockedRooms.wait(for: room, now: now)
    }

    /// Takes out of a room's budget what goes out to its members, and notes what a client's message there costs in all.
    func spend(_ price: Spending, bytesIn: Int, in room: RoomName, now: MonotonicTime) {
        guard let hubRoom = rooms[room] else { return }
        if tally != nil {
            let reading = Prices.received(wireBytes: bytesIn, textBytes: bytesIn, isCompressing: false)
            spendingRooms.add(price + reading, to: hubRoom)
        }
        // A small message to a few is nothing; bytes below a kilobyte go down with them.
        hubRoom.unchargedKilobytes = Int32(clamping: Int(hubRoom.unchargedKilobytes) + price.bytesOut >> 10)
        guard hubRoom.unchargedKilobytes >= Hub.roomKilobytes else { return }
        let spending = Spending(bytesOut: Int(hubRoom.unchargedKilobytes) << 10)
        hubRoom.unchargedKilobytes = 0
        if let wait = budgets.spend(spending, in: room, now: now) { blockedRooms.block(room, until: now + wait) }
    }

    // MARK: Output

    /// Does what is next for one client, once it has paid for what was before and the loop has time.
    ///
    /// The tasks that go on when the system has taken a part follow each other without a look at the sockets: what
    /// waits here waits for a time, so that those come in between.
    func whenPaid(_ connection: SocketHandler, _ goOn: @escaping () -> Void) {
        guard mustWait(connection) else { return goOn() }
        outputTurn.wait(OutputWaiter(connection: connection, goOn: goOn))
        postponeOutput()
    }

    /// Whether what is next for one client has to wait, for credit or for time.
    func mustWait(_ connection: SocketHandler) -> Bool {
        outputTurn.isOver || connection.budget.wait(now: now) != nil
    }

    private func postponeOutput() {
        guard !outputTurn.isPostponed else { return }
        outputTurn.postpone()
        eventLoop.scheduleTask(in: outputTurn.isOver ? Hub.nextTurn : Hub.nextLook) { [self] in
            serveOutput()
        }
    }

    private func serveOutput() {
        let began = now
        for waiter in outputTurn.begin() where waiter.connection.isOpen {
            whenPaid(waiter.connection, waiter.goOn)
        }
        flush()
        turned(since: began)
        if !outputTurn.isEmpty { postponeOutput() }
    }

    // MARK: Input

    /// Notes what unpacking a client's bytes costs.
    func countInput(_ price: Int) {
        guard inputTurn.spend(price) else { return }
        // It runs when all sockets that had something to read in this turn have been read.
        eventLoop.execute { [self] in inputTurn.end() }
    }

    /// Keeps a connection with bytes that may not be unpacked yet.
    func park(_ connection: SocketHandler) {
        parked.park(connection)
        lookAtParked(after: Hub.nextTurn)
    }

    private func lookAtParked(after time: TimeAmount) {
        guard !parked.isLooking else { return }
        parked.willLook()
        eventLoop.scheduleTask(in: time) { [self] in serveParked() }
    }

    private func serveParked() {
        let now = now
        var left: [SocketHandler] = []
        for connection in parked.takeAll() {
            guard let unread = connection.unread else { continue }
            if unread.until > now || inputTurn.isOver { left.append(connection) } else { connection.goOn() }
        }
        parked.parkFirst(left)
        flush()
        guard !parked.isEmpty else { return }
        lookAtParked(after: parked.isPressing(now: now) ? Hub.nextTurn : Hub.nextLook)
    }
}
