import Foundation

/// An order to a worker process, a JSON object on a line of its standard input.
enum Order: Codable {
    /// The first line.
    case plan(CrewPlan)
    /// Have this many members in all processes together.
    case grow(Int)
    /// Say how things are; answered by a notice.
    case report
    /// Reset all connections, to come back when told.
    case cut
    /// Come back with the sessions.
    case comeBack
    /// Forget what was counted: publishers begin anew.
    case restart
}

/// The report of a crew on itself.
package struct CrewReport: Codable, Sendable {
    package var ready = 0
    package var gone = 0
    package var tally = Tally()
    package var openings = Histogram()
    package var roster = RosterTally()
    /// By room: how many streams its messages go to.
    package var sizes: [Int32] = []
    /// CPU that the process has used so far.
    package var cpuSeconds = 0.0

    mutating func add(_ other: CrewReport) {
        ready += other.ready
        gone += other.gone
        tally.add(other.tally)
        openings.add(other.openings)
        roster.add(other.roster)
        for (room, size) in other.sizes.enumerated() where room < sizes.count { sizes[room] += size }
        if sizes.isEmpty { sizes = other.sizes }
        cpuSeconds += other.cpuSeconds
    }
}

extension Crew {
    func report() -> CrewReport {
        CrewReport(
            ready: ready, gone: gone, tally: audience.tally, openings: openings,
            roster: roster?.tally ?? RosterTally(), sizes: audience.sizes, cpuSeconds: ProcessMeter.ownCPUSeconds())
    }
}

/// A notice from a worker process, on a line of its standard output.
enum Notice {
    /// These messages have come to all of the process's members of their room.
    case completed([UInt32])
    /// Members ready and gone, and the number in all processes for which each here is one of the two: 0 while some are
    /// neither.
    case count(ready: Int, gone: Int, settledFor: Int)
    case report(CrewReport)
    case failed(String)

    /// A letter, then numbers, JSON or text; ends with a line feed.
    var line: String {
        get throws {
            switch self {
            case .completed(let numbers): "d " + numbers.map(String.init).joined(separator: " ") + "\n"
            case .count(let ready, let gone, let settledFor): "c \(ready) \(gone) \(settledFor)\n"
            case .report(let report): "r " + String(decoding: try JSONEncoder().encode(report), as: UTF8.self) + "\n"
            case .failed(let reason): "f \(reason.replacing("\n", with: " "))\n"
            }
        }
    }

    init(line: Substring) throws {
        let rest = line.dropFirst(2)
        switch line.first {
        case "d": self = .completed(rest.split(separator: " ").compactMap { UInt32($0) })
        case "c":
            let numbers = rest.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 3 else { throw BenchFailure("a worker said something unreadable") }
            self = .count(ready: numbers[0], gone: numbers[1], settledFor: numbers[2])
        case "r": self = .report(try JSONDecoder().decode(CrewReport.self, from: Data(rest.utf8)))
        case "f": self = .failed(String(rest))
        case _: throw BenchFailure("a worker said something unreadable")
        }
    }
}

/// Cuts a stream of bytes into lines.
struct LineCutter {
    private var rest: [UInt8] = []

    /// The lines that are whole now, without their line feeds.
    mutating func add(_ bytes: UnsafeRawBufferPointer) -> [Substring] {
        rest.append(contentsOf: bytes)
        guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        let text = String(decoding: rest[..<end], as: UTF8.self)
        rest.removeSubrange(...end)
        return text.split(separator: "\n")
    }
}
