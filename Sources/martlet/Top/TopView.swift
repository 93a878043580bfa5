import Foundation

/// What a look at the nodes comes to: a row for each and their totals, as a table or as JSON.
struct TopView {
    enum Order {
        case name, connections, messages, deliveries, latency, webhooks

        init?(key: Character) {
            switch key {
            case "n": self = .name
            case "c": self = .connections
            case "m": self = .messages
            case "d": self = .deliveries
            case "l": self = .latency
            case "w": self = .webhooks
            default: return nil
            }
        }
    }

    /// Of one node, or of all. Rates are a second's, times in seconds; nil where it is not known.
    struct Row {
        var name: String
        var address = ""
        var version = ""
        var state = "ready"
        var connections: Double?
        var opened: Double?
        var closed: Double?
        var published: Double?
        var delivered: Double?
        var latency: Double?
        var redis: Double?
        var canary: Double?
        var partitions: Double?
        var gaps: Double?
        var repairs: Double?
        var webhooks: Double?
        var processor: Double?
        var memory: Double?
    }

    private(set) var rows: [Row] = []
    private(set) var totals = Row(name: "all")
    private let users: Int?
    private let rooms: Int?

    init(_ sight: TopSight) {
        users = sight.users
        rooms = sight.rooms
        var latencies: [(bound: Double, count: Double)] = []
        var commands = latencies
        for node in sight.nodes {
            guard let reading = node.reading else {
                rows.append(Row(name: "?", address: node.address, state: node.trouble ?? "does not answer"))
                continue
            }
            var row = Row(name: reading.label("node", of: "martlet_node_info") ?? "?", address: node.address)
            row.version = reading.label("version", of: "martlet_build_info") ?? ""
            if let readiness = sight.readiness[row.name] {
                row.state = readiness.isReady ? "ready" : readiness.reason ?? "not ready"
            } else {
                // Whether it is ready nobody has said.
                row.state = sight.trouble.map { "/v1/nodes \($0)" } ?? "not in the index"
            }
            row.read(reading, after: node.before)
            let latency = reading.since(node.before, "martlet_publish_to_deliver_seconds")
            let command = reading.since(node.before, "martlet_redis_command_duration_seconds")
            row.latency = latency.quantile(0.99)
            row.redis = command.quantile(0.99)
            latencies = latencies.adding(latency)
            commands = commands.adding(command)
            rows.append(row)
        }
        total()
        totals.latency = latencies.quantile(0.99)
        totals.redis = commands.quantile(0.99)
    }

    private mutating func total() {
        let sums: [WritableKeyPath<Row, Double?>] = [
            \.connections, \.opened, \.closed, \.published, \.delivered, \.partitions, \.gaps, \.repairs, \.webhooks,
            \.processor, \.memory,
        ]
        for field in sums {
            let known = rows.compactMap { $0[keyPath: field] }
            if !known.isEmpty { totals[keyPath: field] = known.reduce(0, +) }
        }
        totals.canary = rows.compactMap(\.canary).max()
        totals.state = "\(rows.count(where: { $0.state == "ready" })) of \(rows.count) ready"
    }

    private func sorted(by order: Order) -> [Row] {
        func most(_ field: KeyPath<Row, Double?>) -> [Row] {
            rows.sorted { ($0[keyPath: field] ?? -1, $1.name) > ($1[keyPath: field] ?? -1, $0.name) }
        }
        return switch order {
        case .name: rows.sorted { ($0.name, $0.address) < ($1.name, $1.address) }
        case .connections: most(\.connections)
        case .messages: most(\.published)
        case .deliveries: most(\.delivered)
        case .latency: most(\.latency)
        case .webhooks: most(\.webhooks)
        }
    }
}

extension TopView.Row {
    fileprivate mutating func read(_ reading: NodeReading, after before: NodeReading?) {
        func rate(_ name: String, where text: String = "") -> Double? {
            guard let before, let now = reading.sum(name, where: text), let then = before.sum(name, where: text),
                reading.time > before.time
            else { return nil }
            // One that counts from the beginning again was started in between.
            return max(0, now - then) / (before.time.duration(to: reading.time) / .seconds(1))
        }
        connections = reading.sum("martlet_connections")
        opened = rate("martlet_sockets_accepted_total")
        closed = rate("martlet_connections_closed_total")
        published = rate("martlet_messages_published_total", where: #"result="stored""#)
        delivered = rate("martlet_messages_delivered_total")
        canary = reading.sum("martlet_canary_age_seconds")
        partitions = reading.sum("martlet_coordinated_partitions")
        gaps = reading.sum("martlet_room_gaps_total")
        repairs = reading.sum("martlet_presence_repairs_total")
        webhooks = reading.sum("martlet_webhook_lag")
        processor = rate("process_cpu_seconds_total")
        memory = reading.sum("process_resident_memory_bytes")
    }
}

extension NodeReading {
    fileprivate func since(_ before: NodeReading?, _ histogram: String) -> [(bound: Double, count: Double)] {
        guard let before else { return [] }
        return buckets(histogram).since(before.buckets(histogram))
    }
}

// MARK: As it is shown

extension TopView {
    private static let columns: [(title: String, text: @Sendable (Row) -> String)] = [
        ("NODE", { $0.name }),
        ("CLIENTS", { TopView.whole($0.connections) }),
        ("+/s", { TopView.rate($0.opened) }),
        ("-/s", { TopView.rate($0.closed) }),
        ("MSG/s", { TopView.rate($0.published) }),
        ("DELIV/s", { TopView.rate($0.delivered) }),
        ("P99 ms", { TopView.milliseconds($0.latency) }),
        ("REDIS ms", { TopView.milliseconds($0.redis) }),
        ("CANARY s", { TopView.whole($0.canary) }),
        ("PARTS", { TopView.whole($0.partitions) }),
        ("GAPS", { TopView.whole($0.gaps) }),
        ("MENDED", { TopView.whole($0.repairs) }),
        ("HOOKS", { TopView.whole($0.webhooks) }),
        ("CPU %", { TopView.whole($0.processor.map { $0 * 100 }) }),
        ("MEM MB", { TopView.whole($0.memory.map { $0 / 1e6 }) }),
        ("STATE", { $0.state }),
    ]

    /// - Parameter width: what is longer is cut.
    func table(sortedBy order: Order, width: Int) -> String {
        var lines = [TopView.columns.map(\.title)]
        for row in sorted(by: order) + [totals] {
            var row = row
            if row.name == "?" { row.name = row.address }
            lines.append(TopView.columns.map { TopView.plain($0.text(row)) })
        }
        let widths = TopView.columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        let last = TopView.columns.count - 1
        let text = lines.map { line in
            let cells = line.enumerated().map { column, cell in
                let pad = String(repeating: " ", count: column == last ? 0 : widths[column] - cell.count)
                return column == 0 || column == last ? cell + pad : pad + cell
            }
            return String(cells.joined(separator: "  ").prefix(width))
        }
        let shared = [users.map { "\($0) users online" }, rooms.map { "\($0) rooms with members" }].compactMap(\.self)
        return (text + [shared.joined(separator: ", ")]).joined(separator: "\n")
    }

    /// What a node says is shown, and moves no cursor.
    private static func plain(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 32 || (127..<160).contains($0.value) ? "?" : Character($0) })
    }

    private static func whole(_ value: Double?) -> String { value.map { String(Int($0.rounded())) } ?? "-" }

    private static func rate(_ value: Double?) -> String {
        value.map { $0 < 10 && $0 > 0 ? String(format: "%.1f", $0) : String(Int($0.rounded())) } ?? "-"
    }

    private static func milliseconds(_ value: Double?) -> String {
        value.map { String(format: $0 < 0.01 ? "%.1f" : "%.0f", $0 * 1000) } ?? "-"
    }
}

extension TopView {
    /// `{"nodes":[…],"totals":{…}}` on one line; what is not known is null.
    var json: String {
        var totals = TopView.fields(of: totals, isNode: false)
        totals["users"] = users.map { $0 as Any } ?? NSNull()
        totals["rooms"] = rooms.map { $0 as Any } ?? NSNull()
        totals["nodes"] = rows.count
        totals["ready"] = rows.count(where: { $0.state == "ready" })
        let all: [String: Any] = [
            "nodes": sorted(by: .name).map { TopView.fields(of: $0, isNode: true) }, "totals": totals,
        ]
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
        // It holds text and finite numbers alone.
        let data = try? JSONSerialization.data(withJSONObject: all, options: options)
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    private static func fields(of row: Row, isNode: Bool) -> [String: Any] {
        let numbers: [(String, Double?)] = [
            ("connections", row.connections), ("openedPerSecond", row.opened), ("closedPerSecond", row.closed),
            ("publishedPerSecond", row.published), ("deliveredPerSecond", row.delivered),
            ("publishToDeliverP99Seconds", row.latency), ("redisCommandP99Seconds", row.redis),
            ("canaryAgeSeconds", row.canary), ("coordinatedPartitions", row.partitions), ("gaps", row.gaps),
            ("presenceRepairs", row.repairs), ("webhookLag", row.webhooks), ("processor", row.processor),
            ("memoryBytes", row.memory),
        ]
        var fields: [String: Any] = [:]
        for (name, value) in numbers {
            fields[name] = value.flatMap { $0.isFinite ? $0 as Any : nil } ?? NSNull()
        }
        guard isNode else { return fields }
        fields["nodeId"] = row.name == "?" ? NSNull() : row.name as Any
        fields["address"] = row.address
        fields["version"] = row.version
        fields["ready"] = row.state == "ready"
        fields["reason"] = row.state == "ready" ? NSNull() : row.state as Any
        return fields
    }
}
