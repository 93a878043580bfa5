import GatewayCore

/// The fields of a request that mean something, as they stand in its frame; all others are passed over unseen.
struct RequestFields {
    private(set) var type: JSONValue?
    private(set) var id: JSONValue?
    private(set) var roomId: JSONValue?
    private(set) var msgType: JSONValue?
    private(set) var payload: JSONValue?
    private(set) var event: JSONValue?
    private(set) var echo: JSONValue?
    private(set) var volatile: JSONValue?
    private(set) var dedupe: JSONValue?
    private(set) var before: JSONValue?
    private(set) var after: JSONValue?
    private(set) var limit: JSONValue?
    private(set) var token: JSONValue?
    private(set) var since: JSONValue?
    private(set) var last: JSONValue?
    private(set) var users: JSONValue?
    private(set) var to: JSONValue?
    private(set) var cursor: JSONValue?
    private(set) var info: JSONValue?
    private(set) var userId: JSONValue?
    private(set) var role: JSONValue?
    private(set) var until: JSONValue?
    private(set) var reason: JSONValue?
    private(set) var state: JSONValue?
    private(set) var seq: JSONValue?
    private(set) var epoch: JSONValue?

    private static let maxIDBytes = 128
    /// A request has eight at most; the rest may come from a later client.
    private static let maxFields = 64

    private enum Refusal {
        case repeated(StaticString)
        case tooMany
    }

    /// Reads the whole frame, which must be one JSON object.
    ///
    /// A field given twice is refused: whoever checks the first and whoever obeys the last must not be deceived
    /// about each other. What was read before an error stays, so that the error can bear the request's `id`.
    mutating func read(_ frame: UnsafeRawBufferPointer) throws(RequestError) {
        var scanner = JSONScanner(frame)
        guard scanner.isAtObject() else { throw RequestError(.badRequest, "a frame must be one JSON object") }
        let refusal: Refusal?
        do throws(JSONError) {
            refusal = try keepAll(of: &scanner)
        } catch {
            throw RequestError(.badRequest, "not JSON: \(error.message)")
        }
        switch refusal {
        case .repeated(let name): throw RequestError(.badRequest, "\(name): given twice")
        case .tooMany: throw RequestError(.badRequest, "more than \(RequestFields.maxFields) fields")
        case nil: break
        }
    }

    /// The request's id, nil where it has none.
    func requestID() throws(RequestError) -> RequestID? {
        guard let id else { return nil }
        switch id.kind {
        case .string, .number(isInteger: true): break
        case .number, .object, .array, .boolean, .null:
            throw RequestError(.badRequest, "id: must be a string or an integer")
        }
        guard id.bytes.count <= RequestFields.maxIDBytes else {
            throw RequestError(.badRequest, "id: longer than \(RequestFields.maxIDBytes) bytes")
        }
        return RequestID(json: Array(id.bytes))
    }

    /// Answers what is wrong with the fields, where it stopped.
    @inline(__always)
    private mutating func keepAll(of scanner: inout JSONScanner) throws(JSONError) -> Refusal? {
        var key = try scanner.firstKey()
        var count = 0
        while let name = key {
            count += 1
            guard count <= RequestFields.maxFields else { return .tooMany }
            let value = try scanner.value()
            if let repeated = keep(value, as: name) { return .repeated(repeated) }
            key = try scanner.nextKey()
        }
        try scanner.end()
        return nil
    }

    /// Answers the field's name where it is there already.
    @inline(__always)
    private mutating func keep(_ value: JSONValue, as key: JSONString) -> StaticString? {
        if key.equals("type") { return RequestFields.fill(&type, with: value) ? nil : "type" }
        if key.equals("id") {
            if RequestFields.fill(&id, with: value) { return nil }
            // Of two ids neither is sure to be the one the client waits for.
            id = nil
            return "id"
        }
        if key.equals("roomId") { return RequestFields.fill(&roomId, with: value) ? nil : "roomId" }
        if key.equals("msgType") { return RequestFields.fill(&msgType, with: value) ? nil : "msgType" }
        if key.equals("payload") { return RequestFields.fill(&payload, with: value) ? nil : "payload" }
        if key.equals("event") { return RequestFields.fill(&event, with: value) ? nil : "event" }
        if key.equals("echo") { return RequestFields.fill(&echo, with: value) ? nil : "echo" }
        if key.equals("volatile") { return RequestFields.fill(&volatile, with: value) ? nil : "volatile" }
        if key.equals("dedupe") { return RequestFields.fill(&dedupe, with: value) ? nil : "dedupe" }
        if key.equals("before") { return RequestFields.fill(&before, with: value) ? nil : "before" }
        if key.equals("after") { return RequestFields.fill(&after, with: value) ? nil : "after" }
        if key.equals("limit") { return RequestFields.fill(&limit, with: value) ? nil : "limit" }
        if key.equals("token") { return RequestFields.fill(&token, with: value) ? nil : "token" }
        if key.equals("since") { return RequestFields.fill(&since, with: value) ? nil : "since" }
        if key.equals("users") { return RequestFields.fill(&users, with: value) ? nil : "users" }
        if key.equals("to") { return RequestFields.fill(&to, with: value) ? nil : "to" }
        if key.equals("info") { return RequestFields.fill(&info, with: value) ? nil : "info" }
        if key.equals("state") { return RequestFields.fill(&state, with: value) ? nil : "state" }
        if key.equals("last") { return RequestFields.fill(&last, with: value) ? nil : "last" }
        if key.equals("cursor") { return RequestFields.fill(&cursor, with: value) ? nil : "cursor" }
        if key.equals("userId") { return RequestFields.fill(&userId, with: value) ? nil : "userId" }
        if key.equals("role") { return RequestFields.fill(&role, with: value) ? nil : "role" }
        if key.equals("until") { return RequestFields.fill(&until, with: value) ? nil : "until" }
        if key.equals("reason") { return RequestFields.fill(&reason, with: value) ? nil : "reason" }
        if key.equals("seq") { return RequestFields.fill(&seq, with: value) ? nil : "seq" }
        if key.equals("epoch") { return RequestFields.fill(&epoch, with: value) ? nil : "epoch" }
        return nil
    }

    /// Answers false where the field is filled already.
    @inline(__always)
    static func fill(_ field: inout JSONValue?, with value: JSONValue) -> Bool {
        guard field == nil else { return false }
        field = value
        return true
    }
}
