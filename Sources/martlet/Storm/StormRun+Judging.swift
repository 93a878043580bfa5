import StormJudge

extension StormRun {
    /// Waits until every client stands where its rooms stand, then judges all streams and rosters.
    func judge(_ witnesses: [StormWitness], _ books: StormPublisher.Books, _ outcome: inout StormOutcome) async {
        say("all is published; waiting until everybody has it")
        let end = ContinuousClock.now + settling
        for (number, room) in plan.roomNames.enumerated() {
            guard let log = await log(of: room) else {
                outcome.reckoning.fault("\(room): no api says what the log holds")
                continue
            }
            let acknowledged = books.stored[number].map(\.seq).max() ?? 0
            let head = max(log.keys.max() ?? 0, mercy == .losses ? 0 : acknowledged)
            let members = witnesses.filter { $0.rooms.contains(room) }
            _ = await comesAbout(until: end) { members.allSatisfy { $0.latest(of: room) >= head } }
            for witness in members {
                outcome.reckoning.judge(
                    witness.sight(of: room, upTo: head), log: log, stored: books.stored[number], mercy: mercy)
                let isBehind = witness.latest(of: room) < head
                outcome.longestSilence = max(
                    outcome.longestSilence, witness.longestSilence(until: isBehind ? start.duration(to: .now) : nil))
            }
        }
        for witness in witnesses {
            outcome.reconnects += witness.reconnects
            for refusal in witness.refusals { outcome.reckoning.fault(refusal) }
        }
        judgeLeaves(witnesses, books, &outcome)
        await judgeRosters(witnesses, &outcome)
    }

    private func log(of room: String) async -> [Int: Int]? {
        let end = ContinuousClock.now + settling
        repeat {
            if let log = await backend.log(of: room) { return log }
        } while await waits(until: end)
        return nil
    }

    /// Everybody was there all the time.
    private func judgeLeaves(
        _ witnesses: [StormWitness], _ books: StormPublisher.Books, _ outcome: inout StormOutcome
    ) {
        let now = start.duration(to: .now)
        let silences = Dictionary(uniqueKeysWithValues: witnesses.map { ($0.user, $0.silences(at: now)) })
        let rooms = Dictionary(
            uniqueKeysWithValues: witnesses.enumerated().map { ($1.user, plan.rooms(of: $0)) })
        for witness in witnesses {
            for leave in witness.leaves {
                let isTrue = (rooms[leave.user] ?? []).contains { room in
                    rule.isTrue(
                        at: leave.time, silences: silences[leave.user] ?? [], stored: books.times[room],
                        witness: silences[witness.user] ?? [])
                }
                guard !isTrue else { continue }
                let place = leave.room.map { "\(witness.user) \($0)" } ?? witness.user
                let what = leave.room == nil ? "went offline" : "left"
                outcome.reckoning.falsePresence("\(place): told after \(leave.time) that \(leave.user) \(what)")
            }
        }
    }

    /// All are online and in their rooms, by every node that answers and by what each client was told.
    private func judgeRosters(_ witnesses: [StormWitness], _ outcome: inout StormOutcome) async {
        say("comparing who is where")
        let users = Set(plan.users)
        let end = ContinuousClock.now + settling
        for (number, api) in backend.apis.enumerated() {
            guard await backend.call("GET", "/v1/stats", at: number)?.status == 200 else {
                outcome.notes.append("\(api) does not answer: it was not asked who is there")
                continue
            }
            if !(await comesAbout(until: end) { await backend.online(plan.users, at: number) == users }) {
                if let online = await backend.online(plan.users, at: number) {
                    outcome.reckoning.falsePresence(
                        "\(api): \(users.count - online.count) clients that are there are offline")
                } else {
                    outcome.reckoning.fault("\(api): does not say who is online")
                }
            }
            for room in 0..<plan.rooms {
                let (name, members) = (plan.room(room), plan.members(of: room))
                if !(await comesAbout(until: end) { await backend.members(of: name, at: number) == members }) {
                    guard let read = await backend.members(of: name, at: number) else {
                        outcome.reckoning.fault("\(api): does not say who is in \(name)")
                        continue
                    }
                    let (missing, ghosts) = (members.subtracting(read).count, read.subtracting(members).count)
                    outcome.reckoning.falsePresence("\(api) \(name): \(missing) members missing, \(ghosts) ghosts")
                }
            }
        }
        for (number, witness) in witnesses.enumerated() {
            for (room, name) in zip(plan.rooms(of: number), witness.rooms) {
                let members = plan.members(of: room)
                do {
                    let read = try await witness.readRoster(of: name)
                    if read != members {
                        outcome.reckoning.falsePresence("\(witness.user) \(name): reads \(read.count) members")
                    }
                } catch {
                    outcome.reckoning.fault("\(witness.user) \(name): cannot read the roster: \(error)")
                }
                for fault in witness.rosterFaults(of: name, against: members) {
                    outcome.reckoning.falsePresence("\(witness.user) \(name): \(fault)")
                }
            }
        }
    }
}
