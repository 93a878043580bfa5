import Dialects
import GatewayCore
import Hummingbird

/// `PUT`, `PATCH` and `DELETE /v1/rooms/{roomId}`: a room's settings, each time on the version that the caller has seen.
struct RoomOrders: Sendable {
    /// How often a change without a version is tried on what others have made of the settings meanwhile.
    private static let tries = 64

    let room: RoomName
    let governor: any RoomGovernor
    /// Of `If-Match`.
    let version: Int64?

    init(room: String, headers: HTTPFields, governor: any RoomGovernor) throws(RequestError) {
        self.room = try RoomName(governed: room)
        self.governor = governor
        version = try RoomOrders.version(headers[values: .ifMatch])
    }

    /// `7` or `"7"`; nil where there is none.
    private static func version(_ values: [String]) throws(RequestError) -> Int64? {
        guard !values.isEmpty else { return nil }
        let text = values.count == 1 ? values[0] : ""
        let isQuoted = text.utf8.count > 2 && text.hasPrefix("\"") && text.hasSuffix("\"")
        let digits = isQuoted ? text.dropFirst().dropLast() : text[...]
        guard let version = Int64(digits), digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw RequestError(.badRequest, "If-Match: must be one version, a whole number")
        }
        return version
    }

    /// Puts settings in the place of those with the version that is named.
    func replace(_ body: [UInt8]) async throws -> Response {
        let read = try SettingsReader(body)
        guard let version = try agreed(with: read.version) else { throw RoomOrders.versionMissing }
        return try await answer(read.settings) { () async throws(GovernError) in
            try await governor.govern(room, by: read.settings, replacing: version)
        }
    }

    /// Changes some of the settings. Without a version each try is made on the present one, so that of many who change
    /// others' fields nobody's change is lost.
    func merge(_ body: [UInt8]) async throws -> Response {
        let named = try agreed(with: RoomOrders.version(inPatch: body))
        for _ in 1..<RoomOrders.tries {
            let state = try await governor.state(of: room)
            let settings = try merged(body, into: state)
            do throws(GovernError) {
                let version = try await governor.govern(
                    room, by: settings, replacing: named ?? RoomOrders.version(of: state))
                return RoomOrders.response(room, version, settings.text)
            } catch {
                guard case .moved = error, named == nil else { throw RoomOrders.refusal(for: error) }
            }
        }
        throw RequestError(.conflict, "the settings change too fast; try again")
    }

    /// Closes the room; with `?log=true` its log goes as well.
    func close(_ target: RequestTarget) async throws -> Response {
        guard let version else { throw RoomOrders.versionMissing }
        let withLog: Bool
        switch try target.value("log") {
        case nil, "false": withLog = false
        case "true": withLog = true
        default: throw RequestError(.badRequest, "log: must be true or false")
        }
        return try await answer(nil) { () async throws(GovernError) in
            try await governor.close(room, at: version, withLog: withLog)
        }
    }

    private func merged(_ body: [UInt8], into state: RoomState) throws(RequestError) -> RoomSettings {
        let text: Result<[UInt8], RequestError> = body.withUnsafeBytes { patch in
            state.settings.withUnsafeBytes { present in
                do throws(RequestError) {
                    let patch = try ObjectFields.value(of: patch)
                    guard case .object = patch.kind else {
                        throw RequestError(.badRequest, "the body: must be an object")
                    }
                    try SettingsReader.refuseUnknown(in: patch)
                    return .success(try MergePatch.apply(patch, to: try ObjectFields.value(of: present)))
                } catch {
                    return .failure(error)
                }
            }
        }
        return try SettingsReader(try text.get()).settings
    }

    private static func version(inPatch body: [UInt8]) throws(RequestError) -> Int64? {
        let found: Result<Int64?, RequestError> = body.withUnsafeBytes { bytes in
            do throws(RequestError) {
                let fields = try ObjectFields(
                    of: try ObjectFields.value(of: bytes), named: ["version"], path: "the body")
                guard let value = fields["version"] else { return .success(nil) }
                guard let version = value.integer, version >= 0 else {
                    throw RequestError(.badRequest, "version: must be a whole number, 0 for a room without settings")
                }
                return .success(Int64(version))
            } catch {
                return .failure(error)
            }
        }
        return try found.get()
    }

    /// The version of the head or of the body; both must be the same.
    private func agreed(with body: Int64?) throws(RequestError) -> Int64? {
        if let version, let body, version != body {
            throw RequestError(.badRequest, "version: another than that of If-Match")
        }
        return version ?? body
    }

    private func answer(
        _ settings: RoomSettings?, _ change: () async throws(GovernError) -> Int64
    ) async throws -> Response {
        do throws(GovernError) {
            return RoomOrders.response(room, try await change(), settings?.text)
        } catch {
            throw RoomOrders.refusal(for: error)
        }
    }

    /// What a closed room left behind is nothing to replace.
    private static func version(of state: RoomState) -> Int64 { state.isGoverned ? state.version : 0 }

    private static var versionMissing: Refusal {
        Refusal(
            RequestError(.versionRequired, "If-Match: the version that this replaces is needed, 0 where there is none"))
    }

    private static func refusal(for error: GovernError) -> any Error {
        switch error {
        case .moved(let version):
            Refusal(
                .preconditionFailed, RequestError(.conflict, "the room's settings have version \(version)"),
                version: version)
        case .nodesDiffer, .noRoster, .denied, .absent, .unknownMessage, .crowded: error.request
        case .backend(let error): error
        }
    }

    private static func response(_ room: RoomName, _ version: Int64, _ settings: [UInt8]?) -> Response {
        var answer: [UInt8] = []
        JSONWriter.append(#"{"roomId":"#, to: &answer)
        JSONWriter.append(string: room.string, to: &answer)
        JSONWriter.append(#","version":"#, to: &answer)
        JSONWriter.append(integer: version, to: &answer)
        if let settings {
            JSONWriter.append(#","settings":"#, to: &answer)
            answer.append(contentsOf: settings)
        }
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}
