import Dialects
import GatewayCore
import Hummingbird

/// `POST /v1/webhooks/replay`: `{"from":<time or id>,"types":[…],"url":"…"}`, the last two optional.
struct Replay: Sendable {
    let order: ReplayOrder

    /// - Throws: `bad_request` naming the field.
    init(_ body: [UInt8]) throws {
        order = try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(
                of: ObjectFields.value(of: bytes), named: ["from", "types", "url"], path: "the body")
            return ReplayOrder(
                start: try Replay.start(fields["from"]), types: try Replay.types(fields["types"]),
                url: try fields.string("url"))
        }
    }

    func answer(from directory: (any WebhookDirectory)?) async throws -> Response {
        let count = try await directory?.replay(order) ?? 0
        guard count > 0 else { throw Refusal.notFound("there is no such webhook") }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"webhooks":"#, to: &answer)
        JSONWriter.append(integer: count, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }

    private static func start(_ value: JSONValue?) throws(RequestError) -> ReplayOrder.Start {
        if let time = value?.integer, time >= 0 { return .time(Int64(time)) }
        if let id = value?.string?.text, isEvent(id) { return .event(id) }
        throw RequestError(.badRequest, "from: must be a time in milliseconds since 1970, or the id of an event")
    }

    /// Whether the text is spelt as events' ids are: partition, milliseconds, number, and a name.
    private static func isEvent(_ id: String) -> Bool {
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 4 && !parts[3].isEmpty
            && parts.dropLast().allSatisfy { (1...18).contains($0.utf8.count) && Int64($0) != nil }
    }

    private static func types(_ value: JSONValue?) throws(RequestError) -> Set<String>? {
        guard let value else { return nil }
        guard let elements = try ObjectFields.elements(of: value) else {
            throw RequestError(.badRequest, "types: must be a list of types of events")
        }
        var types: Set<String> = []
        for element in elements {
            guard let type = element.string?.text, EventType.native.contains(where: { $0.rawValue == type }) else {
                let known = EventType.native.map(\.rawValue).joined(separator: ", ")
                throw RequestError(.badRequest, "types: each must be one of \(known)")
            }
            types.insert(type)
        }
        return types.isEmpty ? nil : types
    }
}
