import Foundation
import RedisBackend
import RedisClient

/// All that lies in a Redis, as text that is the same after each run: each key with its type and what it holds, and what
/// differs from run to run levelled.
///
/// Below each key stands a line for each field, member or entry, its parts with tabs between; a byte that does not print is
/// `\xNN`, a backslash `\\`, nothing at all `\e`. A moment of the run is ``past``, one that lies hours ahead ``future``, and
/// the run of Redis zeros.
struct RecordSheet: Equatable {
    static let past: Int64 = 1_700_000_000_000
    static let future: Int64 = 4_102_444_800_000

    struct Record: Equatable {
        /// `hash`, `list`, `set`, `stream`, `string` or `zset`.
        let type: String
        let key: String
        var lines: [[String]]
    }

    private(set) var records: [Record]

    /// Of one format, as it is kept.
    static func file(ofFormat number: Int) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Records/format-\(number).txt")
    }

    init(format number: Int) throws {
        self.init(try String(contentsOf: RecordSheet.file(ofFormat: number), encoding: .utf8))
    }

    init(_ text: String) {
        records = []
        for line in text.split(separator: "\n") {
            if line.first == " " {
                let parts = line.dropFirst(2).split(separator: "\t").map(String.init)
                records[records.count - 1].lines.append(parts)
            } else {
                let words = line.split(separator: " ", maxSplits: 1).map(String.init)
                records.append(Record(type: words[0], key: words[1], lines: []))
            }
        }
    }

    var text: String {
        records.map { record in
            "\(record.type) \(record.key)\n" + record.lines.map { "  \($0.joined(separator: "\t"))\n" }.joined()
        }.joined()
    }

    /// What lies there now, written within the last hour.
    init(from link: RedisCommandLink) async throws {
        records = []
        let keys = try await link.send(["KEYS", "*"]).array ?? []
        for key in keys.compactMap(\.bytes).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let type = try await link.send(["TYPE", .bytes(key)]).string ?? ""
            let lines = try await RecordSheet.lines(of: key, type, by: link)
            records.append(
                Record(type: type, key: RecordSheet.spell(key), lines: lines.map { $0.map(RecordSheet.spell) }))
        }
        let time = try await link.send(["TIME"])[0].integer ?? 0
        level(now: time * 1000)
    }

    private static func lines(
        of key: [UInt8], _ type: String, by link: RedisCommandLink
    ) async throws -> [[[UInt8]]] {
        func ask(_ name: String, _ rest: RedisArgument...) async throws -> [RedisReply] {
            let reply = try await link.send([.string(name), .bytes(key)] + rest)
            return reply.array ?? [reply]
        }
        func pairs(_ all: [RedisReply]) -> [[[UInt8]]] {
            let bytes = all.compactMap(\.bytes)
            return stride(from: 0, to: bytes.count - 1, by: 2).map { [bytes[$0], bytes[$0 + 1]] }
        }
        func sorted(_ lines: [[[UInt8]]]) -> [[[UInt8]]] { lines.sorted { $0[0].lexicographicallyPrecedes($1[0]) } }
        switch type {
        case "string": return try await ask("GET").compactMap(\.bytes).map { [$0] }
        case "list": return try await ask("LRANGE", 0, -1).compactMap(\.bytes).map { [$0] }
        case "set": return sorted(try await ask("SMEMBERS").compactMap(\.bytes).map { [$0] })
        case "hash": return sorted(pairs(try await ask("HGETALL")))
        case "zset": return sorted(pairs(try await ask("ZRANGE", 0, -1, "WITHSCORES")))
        default:
            var lines = try await ask("XRANGE", "-", "+").map { entry in
                [entry[0].bytes ?? []] + (entry[1].array ?? []).compactMap(\.bytes)
            }
            let info = try await link.send(["XINFO", "STREAM", .bytes(key)])
            let added = info.array?.firstIndex { $0.string == "entries-added" }.map { info[$0 + 1].integer ?? 0 }
            lines.append([Array("added".utf8), Array("\(added ?? 0)".utf8)])
            for group in try await link.send(["XINFO", "GROUPS", .bytes(key)]).array ?? [] {
                let last = group.array?.firstIndex { $0.string == "last-delivered-id" }.map {
                    group[$0 + 1].bytes ?? []
                }
                lines.append([Array("group".utf8), group[1].bytes ?? [], last ?? []])
            }
            return lines
        }
    }

    /// Puts all of it into an empty Redis, as what this run of it has written.
    func put(by link: RedisCommandLink) async throws {
        for record in records {
            let key = RedisArgument.bytes(RecordSheet.read(record.key))
            for line in record.lines {
                let parts = line.map { part in
                    isRun(part) ? .server : RedisArgument.bytes(RecordSheet.read(part))
                }
                _ = try await link.send(RecordSheet.command(record, key, line[0], parts))
            }
        }
    }

    private func isRun(_ part: String) -> Bool { part.count >= 40 && part.allSatisfy { $0 == "0" || $0 == ":" } }

    private static func command(
        _ record: Record, _ key: RedisArgument, _ first: String, _ parts: [RedisArgument]
    ) -> [RedisArgument] {
        switch record.type {
        case "string": return ["SET", key, parts[0]]
        case "list": return ["RPUSH", key, parts[0]]
        case "set": return ["SADD", key, parts[0]]
        case "hash": return ["HSET", key, parts[0], parts[1]]
        case "zset": return ["ZADD", key, parts[1], parts[0]]
        default: break
        }
        switch first {
        case "added":
            let last = record.lines.last { $0[0].contains(/^\d+-\d+$/) }.map { $0[0] }
            return ["XSETID", key, .string(last ?? "0-0"), "ENTRIESADDED", parts[1]]
        case "group": return ["XGROUP", "CREATE", key, parts[1], parts[2]]
        default: return ["XADD", key] + parts
        }
    }

    /// What lies under a key.
    func lines(of key: Key) -> [[String]] {
        records.first { $0.key == RecordSheet.spell(Array(key.name.utf8)) }?.lines ?? []
    }
}

extension RecordSheet {
    static func spell(_ bytes: [UInt8]) -> String {
        guard !bytes.isEmpty else { return "\\e" }
        return bytes.map { byte in
            switch byte {
            case UInt8(ascii: "\\"): "\\\\"
            case 0x20...0x7E: String(UnicodeScalar(byte))
            default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }.joined()
    }

    static func read(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "\\"): bytes.append(byte)
            case UInt8(ascii: "x"):
                bytes.append(UInt8(String(Substring(rest.prefix(2))), radix: 16) ?? 0)
                rest = rest.dropFirst(2)
            default: break
            }
        }
        return bytes
    }

    /// Ids of entries are numbered in each stream, in their order; the moments in them, and all others, become two.
    private mutating func level(now: Int64) {
        var ids: [String: Set<String>] = [:]
        for record in records {
            for line in record.lines {
                let found = line.flatMap {
                    $0.matches(of: /\b\d{13}-\d+\b/.wordBoundaryKind(.simple)).map { String($0.output) }
                }
                ids[RecordSheet.stream(of: record.key, line[0]), default: []].formUnion(found)
            }
        }
        let numbers = ids.mapValues { ids in
            let ordered = ids.compactMap { LedgerEntryID($0) }.sorted()
            return Dictionary(uniqueKeysWithValues: zip(ordered.map { "\($0.milliseconds)-\($0.number)" }, 1...))
        }
        for index in records.indices {
            let key = records[index].key
            records[index].lines = records[index].lines.map { line in
                let numbers = numbers[RecordSheet.stream(of: key, line[0])] ?? [:]
                return line.map { RecordSheet.level($0, numbers, now: now) }
            }
        }
    }

    /// The stream whose entries a line is about: a partition's messages, or its ledger.
    private static func stream(of key: String, _ field: String) -> String {
        let isMessages = key.hasSuffix("}:messages") || field.hasPrefix("messages:")
        return key.prefix { $0 != "}" } + (isMessages ? "messages" : "events")
    }

    private static func level(_ part: String, _ numbers: [String: Int], now: Int64) -> String {
        let hour: Int64 = 3_600_000
        return
            part
            .replacing(/\b\d{13}-\d+\b/.wordBoundaryKind(.simple)) { "\(past)-\(numbers[String($0.output)] ?? 0)" }
            .replacing(/\b\d{13}\b/.wordBoundaryKind(.simple)) {
                "\((Int64($0.output) ?? 0) > now + hour ? future : past)"
            }
            .replacing(/\b[0-9a-z]{8}\b/.wordBoundaryKind(.simple)) { word in
                let value = Int64(word.output, radix: 36) ?? 0
                return abs(value - now) > hour ? String(word.output) : String(past, radix: 36)
            }
            .replacing(/\b(?:[0-9a-f]{20}){1,2}\b/.wordBoundaryKind(.simple)) {
                String(repeating: "0", count: $0.output.count)
            }
    }
}
