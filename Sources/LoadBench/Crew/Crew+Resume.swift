/// Members that lose their connection and come back for what they missed.
extension Crew {
    /// Resets the connection of every ready member: to the server an abrupt loss.
    func cut() {
        resumptions.cut(members: members.count)
        for index in members.indices where members[index].state == .ready {
            sockets.close(members[index].slot)
            members[index].state = .cut
            ready -= 1
            resumptions.away += 1
            audience.leave(room: messageRoom(index))
        }
    }

    /// Lets all that were cut come back, as many at once as the plan allows.
    func comeBack() {
        resumptions.next = 0
        openings = Histogram()
    }

    func bringBack(now: UInt64) {
        while let index = resumptions.next, underWay < plan.handshakes {
            guard index < members.count else {
                resumptions.next = nil
                return
            }
            resumptions.next = index + 1
            guard members[index].state == .cut else { continue }
            resumptions.away -= 1
            members[index].began = now
            members[index].state = .connecting
            let tag = SocketLoop.Tag(role: Crew.role, index: index)
            switch sockets.connect(tag, to: plan.target(of: number(index)), from: plan.source(of: number(index))) {
            case .success(let slot): members[index].slot = slot
            case .failure(let reason): giveUp(index, reason.description)
            }
        }
    }

    func askForWhatWasMissed(_ index: Int, _ event: SocketLoop.Event) {
        let room = room(index)
        let text = Opening.resume(
            room: plan.layout.name(of: room), epoch: resumptions.epochs[room], seq: audience.position(of: index))
        sockets.send(ClientFrame.text(text), to: event.slot)
    }

    func resumed(_ index: Int, _ entry: FrameReader.Entry, now: UInt64) {
        guard members[index].state == .joining, entry.room == room(index) else { return }
        if !entry.isRecovered { audience.countGap() }
        resumptions.heads[index] = entry.seq
        members[index].state = .catchingUp
        checkWhetherCaughtUp(index, now: now)
    }

    func checkWhetherCaughtUp(_ index: Int, now: UInt64) {
        let position = audience.position(of: index)
        guard position >= resumptions.heads[index] else { return }
        becomeReady(index, position: position, now: now)
    }
}
