import Foundation

/// A YAML file for as long as it is held.
final class SettingsText: Sendable {
    let path: String

    init(_ text: String) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString).yaml")
        try Data(text.utf8).write(to: file)
        path = file.path
    }

    // What cannot be removed lies in the folder for such things.
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
