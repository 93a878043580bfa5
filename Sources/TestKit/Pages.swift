import Foundation

/// The programs in the README and the pages of the documentation, for tests that run them as they stand.
package enum Pages {
    /// The one block of code of this language in which the text occurs.
    package static func code(_ language: String, with text: String) throws -> String {
        let blocks = try all().flatMap { page in
            try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```\(language)\n").dropFirst()
                .map { $0.components(separatedBy: "```")[0] }
                .filter { $0.contains(text) }
        }
        guard blocks.count == 1 else {
            throw NodeProcess.Failure(description: "the pages have \(blocks.count) blocks of \(language) with \(text)")
        }
        return blocks[0]
    }

    private static func all() throws -> [URL] {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        var pages = [sources.deletingLastPathComponent().appendingPathComponent("README.md")]
        for target in try contents(of: sources) where target.hasDirectoryPath {
            for catalogue in try contents(of: target) where catalogue.pathExtension == "docc" {
                pages += try contents(of: catalogue).filter { $0.pathExtension == "md" }
            }
        }
        return pages
    }

    private static func contents(of folder: URL) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    }
}
