/// When somebody heard something: the silences between.
///
/// Pure. Times are offsets from one beginning.
package struct Hearing: Sendable {
    /// From the last that was heard to the next; without an end where nothing came any more.
    package struct Silence: Hashable, Sendable {
        package var start: Duration
        package var end: Duration?

        package init(start: Duration, end: Duration?) {
            self.start = start
            self.end = end
        }
    }

    /// Silences shorter than this are not kept.
    private let shortest: Duration
    private var last: Duration?
    private var silences: [Silence] = []
    /// The longest that has ended, however short.
    package private(set) var longest = Duration.zero

    package init(keeping shortest: Duration) {
        self.shortest = shortest
    }

    /// Something was heard at this time.
    package mutating func heard(at time: Duration) {
        defer { last = max(last ?? time, time) }
        guard let last, time > last else { return }
        longest = max(longest, time - last)
        if time - last >= shortest { silences.append(Silence(start: last, end: time)) }
    }

    /// The silences that were long enough, the one that lasts at this time included.
    package func silences(at time: Duration) -> [Silence] {
        guard let last, time - last >= shortest else { return silences }
        return silences + [Silence(start: last, end: nil)]
    }

    /// The longest until this time, at which something should have been heard.
    package func longest(until time: Duration) -> Duration {
        max(longest, last.map { time - $0 } ?? .zero)
    }
}

/// Whether it was true that somebody was told to have gone, though their client went on all the time.
///
/// True it is only of one whom the deployment did not serve: whose client heard nothing for as long as a gateway may take to
/// notice, while there was something to hear. So an outage of all, in which nothing is stored, excuses nobody's being told
/// offline, and a node that was killed, stopped or cut off excuses its own clients'. And who was not served while it was told
/// is told of it once that is over.
package struct AbsenceRule: Sendable {
    /// So long a client may be away before anybody is told.
    package let grace: Duration
    /// What was stored so shortly before it was heard was not missed; nor was what was heard so shortly before whoever had
    /// sent it knew that it was stored.
    private static let delivery = Duration.milliseconds(500)
    /// So long after somebody's return others may be told of the leave before it.
    private static let telling = Duration.seconds(3)

    package init(grace: Duration) {
        self.grace = grace
    }

    /// - Parameters:
    ///   - time: when somebody was told.
    ///   - silences: of the client of the one who was told to have gone.
    ///   - stored: when messages for that client were stored, in order.
    ///   - witness: the silences of the one who was told.
    package func isTrue(
        at time: Duration, silences: [Hearing.Silence], stored: [Duration], witness: [Hearing.Silence] = []
    ) -> Bool {
        silences.contains { silence in
            let end = min(silence.end ?? time, time)
            guard end - silence.start >= grace, wasTold(at: time, of: silence, witness) else { return false }
            let first = stored.partition(upTo: silence.start + AbsenceRule.delivery)
            return first < stored.count && stored[first] <= end - AbsenceRule.delivery
        }
    }

    /// Whether it was told while the silence lasted or shortly after it; or around the end of a silence of the one who was
    /// told, in which that would have been.
    private func wasTold(at time: Duration, of silence: Hearing.Silence, _ witness: [Hearing.Silence]) -> Bool {
        let last = (silence.end ?? time) + AbsenceRule.telling
        guard time > last else { return true }
        return witness.contains { own in
            guard let end = own.end, own.start <= last else { return false }
            return time >= end - AbsenceRule.telling && time <= end + AbsenceRule.telling
        }
    }
}

extension [Duration] {
    /// The first place whose time is later, of times in order.
    fileprivate func partition(upTo time: Duration) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] > time { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
