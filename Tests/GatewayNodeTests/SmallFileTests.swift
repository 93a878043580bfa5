import Foundation
import GatewayNode
import Glibc
import Testing

@Suite("Files that the settings name and that are none")
struct SmallFileTests {
    /// A pipe by name, as a secret store may put one in a file's place.
    private static func pipe(in scratch: Scratch) throws -> String {
        let path = "\(scratch.path)/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        return path
    }

    @Test func `a pipe into which nobody writes is given up`() throws {
        let scratch = try Scratch()
        let path = try Self.pipe(in: scratch)
        let error = try #require(throws: SettingsError.self) {
            try SmallFile.text(of: path, limit: 100, called: "api.keysFile", patience: .milliseconds(50))
        }
        #expect(error.description.hasPrefix("api.keysFile: \(path) is a pipe"))
    }

    @Test func `what comes through a pipe bit by bit is read to its end`() async throws {
        let scratch = try Scratch()
        let path = try Self.pipe(in: scratch)
        async let text = Task.detached { try SmallFile.text(of: path, limit: 1 << 20, called: "x") }.value
        let part = String(repeating: "a", count: 100_000)
        try await Task.detached {
            let writer = try #require(FileHandle(forWritingAtPath: path))
            for _ in 0..<3 { try writer.write(contentsOf: Data(part.utf8)) }
            try writer.close()
        }.value
        #expect(try await text == part + part + part)
    }

    @Test func `a byte order mark is none of the text`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/secret"
        for (bytes, text) in [([0xef, 0xbb, 0xbf, 0x61], "a"), ([0xef, 0xbb, 0xbf], ""), ([0x61], "a")]
            as [([UInt8], String)]
        {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            #expect(try SmallFile.text(of: path, limit: 10, called: "x") == text)
        }
    }

    @Test func `authorities are read again and again, and so are never a pipe`() throws {
        let scratch = try Scratch()
        let path = try Self.pipe(in: scratch)
        for variable in ["MARTLET_WEBHOOKS_CA_FILE", "MARTLET_HOOKS_AUTHORIZE_CA_FILE", "MARTLET_AUTH_CA_FILE"] {
            let error = try #require(throws: SettingsError.self) { try load(nil, [variable: path]) }
            #expect(error.description.contains("is no file that holds certificates in PEM"), "\(error)")
        }
    }
}
