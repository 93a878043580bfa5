import Foundation

/// The README's own programs, for tests that run them as they stand.
package enum Readme {
    /// The one block of code of this language in which the text occurs.
    package static func code(_ language: String, with text: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let blocks = readme.components(separatedBy: "```\(language)\n").dropFirst()
            .map { $0.components(separatedBy: "```")[0] }
            .filter { $0.contains(text) }
        guard blocks.count == 1 else {
            throw NodeProcess.Failure(description: "the README has \(blocks.count) blocks of \(language) with \(text)")
        }
        return blocks[0]
    }
}
