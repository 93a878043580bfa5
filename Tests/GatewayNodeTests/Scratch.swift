import Foundation
import GatewayNode

/// A folder of its own for one test, removed with the value's last use.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file and answers its path.
    func file(_ name: String, _ text: String) throws -> String {
        let place = "\(path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: place))
        return place
    }
}

extension Settings.Host {
    /// A machine whose random characters are all `x`.
    static func named(_ name: String) -> Settings.Host {
        Settings.Host(name: { name }, randomCharacters: { String(repeating: "x", count: $0) })
    }
}

/// Loads settings from YAML text and variables, on a machine called `box`.
func load(
    _ yaml: String? = nil, _ environment: [String: String] = [:]
) throws -> (settings: Settings, warnings: [String]) {
    let scratch = try Scratch()
    let file = try yaml.map { try scratch.file("martlet.yaml", $0) }
    do {
        return try Settings.load(file: file, environment: environment, host: .named("box"))
    } catch {
        // Tests read the file's name without its folder.
        throw SettingsError(error.description.replacingOccurrences(of: scratch.path + "/", with: ""))
    }
}

/// The one line that a configuration is refused with, or nil where it is taken.
func refusal(_ yaml: String? = nil, _ environment: [String: String] = [:]) throws -> String? {
    do {
        _ = try load(yaml, environment)
        return nil
    } catch let error as SettingsError {
        return error.description
    }
}
