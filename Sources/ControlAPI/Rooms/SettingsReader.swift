import Dialects
import GatewayCore

/// Reads a room's settings as a backend writes them: every field is known, and within its bounds.
struct SettingsReader {
    static let maxTitleCharacters = 200
    static let maxDataBytes = 8192
    static let maxMembers = 1_000_000
    /// A day.
    static let maxSlowMode = 86_400
    static let maxRoles = 32

    private static let names: [StaticString] = [
        "title", "data", "locked", "maxMembers", "slowMode", "join", "publish", "hostHandover", "roles", "expires",
        "version",
    ]

    /// What the settings replace, where the body says so.
    let version: Int64?
    let settings: RoomSettings

    /// - Throws: `bad_request` naming the field.
    init(_ body: [UInt8]) throws(RequestError) {
        let read: Result<(Int64?, RoomSettings), RequestError> = body.withUnsafeBytes { bytes in
            do throws(RequestError) {
                return .success(try SettingsReader.read(try ObjectFields.value(of: bytes)))
            } catch {
                return .failure(error)
            }
        }
        (version, settings) = try read.get()
    }

    /// Also of a change that takes a field away: what was never a setting is a slip of the pen.
    static func refuseUnknown(in body: JSONValue) throws(RequestError) {
        for (key, _) in body.fields() ?? [] where !names.contains(where: key.equals) {
            throw RequestError(.badRequest, "\(key.text ?? "a field"): not a setting")
        }
    }

    private static func read(_ body: JSONValue) throws(RequestError) -> (Int64?, RoomSettings) {
        let fields = try ObjectFields(of: body, named: names, path: "the body")
        try refuseUnknown(in: body)
        var settings = RoomSettings()
        var text = Array("{".utf8)
        func add(_ name: StaticString, _ value: some Sequence<UInt8>) {
            if text.count > 1 { JSONWriter.append(",", to: &text) }
            JSONWriter.append("\"", to: &text)
            JSONWriter.append(name, to: &text)
            JSONWriter.append("\":", to: &text)
            text.append(contentsOf: value)
        }
        if let value = fields["title"] {
            var title: [UInt8] = []
            JSONWriter.append(string: try readTitle(value), to: &title)
            add("title", title)
        }
        if let value = fields["data"] {
            guard value.bytes.count <= maxDataBytes else {
                throw RequestError(.badRequest, "data: must be at most \(maxDataBytes) bytes of JSON")
            }
            add("data", value.bytes)
        }
        if let value = fields["locked"] {
            guard let isLocked = value.boolean else { throw RequestError(.badRequest, "locked: must be true or false") }
            settings.isLocked = isLocked
            add("locked", value.bytes)
        }
        if let value = fields["maxMembers"] {
            settings.maxMembers = try whole(value, "maxMembers", in: 1...maxMembers)
            add("maxMembers", value.bytes)
        }
        if let value = fields["slowMode"] {
            let seconds = try whole(value, "slowMode", in: 0...maxSlowMode)
            settings.slowMode = seconds > 0 ? seconds : nil
            add("slowMode", value.bytes)
        }
        if let value = fields["join"] {
            settings.join = try roles(value, "join")
            add("join", value.bytes)
        }
        if let value = fields["publish"] {
            settings.publish = try roles(value, "publish")
            add("publish", value.bytes)
        }
        if let value = fields["hostHandover"] {
            guard let handover = value.string?.text.flatMap({ RoomSettings.HostHandover(rawValue: $0) }) else {
                throw RequestError(.badRequest, "hostHandover: must be role, oldest or none")
            }
            settings.hostHandover = handover
            add("hostHandover", value.bytes)
        }
        if let value = fields["roles"] {
            settings.roles = try rights(value)
            add("roles", value.bytes)
        }
        if let value = fields["expires"] {
            settings.expires = try expires(value)
            add("expires", value.bytes)
        }
        JSONWriter.append("}", to: &text)
        settings.text = text
        return (try version(fields["version"]), settings)
    }

    private static func readTitle(_ value: JSONValue) throws(RequestError) -> String {
        guard let title = value.string?.text, title.count <= maxTitleCharacters,
            title.utf8.count <= 4 * maxTitleCharacters,
            title.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else {
            throw RequestError(
                .badRequest,
                "title: must be a string of at most \(maxTitleCharacters) characters without control characters")
        }
        return title
    }

    private static func whole(
        _ value: JSONValue, _ name: String, in range: ClosedRange<Int>
    ) throws(RequestError) -> Int {
        guard let number = value.integer, range.contains(number) else {
            throw RequestError(
                .badRequest, "\(name): must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func version(_ value: JSONValue?) throws(RequestError) -> Int64? {
        guard let value else { return nil }
        guard let number = value.integer, number >= 0 else {
            throw RequestError(.badRequest, "version: must be a whole number, 0 for a room without settings")
        }
        return Int64(number)
    }

    /// Names of roles; none at all means the host alone.
    private static func roles(_ value: JSONValue, _ name: String) throws(RequestError) -> [RoleName] {
        guard let elements = value.elements(upTo: maxRoles), elements.count <= maxRoles else {
            throw RequestError(.badRequest, "\(name): must be a list of at most \(maxRoles) names of roles")
        }
        var roles: [RoleName] = []
        for element in elements {
            guard let role = element.string?.text.flatMap({ RoleName($0) }) else {
                throw RequestError(.badRequest, "\(name): a role is named by 1 to 64 of A-Z a-z 0-9 _ -")
            }
            roles.append(role)
        }
        return roles
    }

    private static func rights(_ value: JSONValue) throws(RequestError) -> [RoleRights] {
        guard let fields = value.fields(upTo: maxRoles), fields.count <= maxRoles else {
            throw RequestError(.badRequest, "roles: must be an object of at most \(maxRoles) roles with their rights")
        }
        var roles: [RoleRights] = []
        for (key, value) in fields {
            guard let role = key.text.flatMap({ RoleName($0) }), role != .host else {
                throw RequestError(
                    .badRequest, "roles: a role is named by 1 to 64 of A-Z a-z 0-9 _ -, and host has all rights anyway")
            }
            guard !roles.contains(where: { $0.role == role }) else {
                throw RequestError(.badRequest, "roles: \(role.string) is given twice")
            }
            var rights: [RoomRight] = []
            guard let elements = value.elements(upTo: 16), elements.count <= 16 else { throw badRight(of: role) }
            for element in elements {
                guard let right = element.string?.text.flatMap({ RoomRight(rawValue: $0) }) else {
                    throw badRight(of: role)
                }
                rights.append(right)
            }
            roles.append(RoleRights(role: role, rights: rights))
        }
        return roles
    }

    private static func badRight(of role: RoleName) -> RequestError {
        let known = RoomRight.allCases.map(\.rawValue).joined(separator: ", ")
        return RequestError(.badRequest, "roles: the rights of \(role.string) must be a list of \(known)")
    }

    /// `90s`, `30m`, `24h`: a minute to a year.
    private static func expires(_ value: JSONValue) throws(RequestError) -> Duration {
        let refusal = RequestError(.badRequest, "expires: must be a time from 60s to 8760h, such as 24h")
        guard let text = value.string?.text, let unit = text.last, let number = Int64(text.dropLast()),
            text.utf8.dropLast().allSatisfy({ (48...57).contains($0) }), (1...31_536_000).contains(number)
        else { throw refusal }
        let seconds: Int64
        switch unit {
        case "s": seconds = number
        case "m": seconds = number * 60
        case "h": seconds = number * 3600
        default: throw refusal
        }
        guard (60...31_536_000).contains(seconds) else { throw refusal }
        return .seconds(seconds)
    }
}
